import { assert, layer } from "@effect/vitest";
import { Context, Effect, Layer, Schema } from "effect";
import { connect, joined, start } from "../support/TestServer.ts";
class Server extends Context.Service()("test/Server") {
    static layer = Layer.effect(Server, start());
}
const Bytes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })));
const Name = Schema.Literals(["room:a", "room:b", "phoenix", "media:1", "user:u1", "nothing", ""]);
const Event = Schema.Literals([
    "phx_join",
    "phx_leave",
    "echo",
    "bytes",
    "say",
    "crash",
    "access_token",
    "heartbeat",
    "",
]);
const Ref = Schema.NullOr(Schema.Literals(["1", "2", 3]));
/** Checks that the server still serves another client. */
const isHealthy = Effect.gen(function* () {
    const witness = yield* joined(yield* Server, "room:z");
    yield* witness.nothing;
    witness.ws.terminate();
});
layer(Server.layer)("fuzzed frames", (it) => {
    it.effect.prop("arbitrary bytes close only their own socket", [Bytes], ([bytes]) => Effect.gen(function* () {
        const client = yield* connect(yield* Server);
        client.ws.send(Buffer.from(bytes));
        client.ws.send(Buffer.from(bytes).toString("latin1"));
        assert.strictEqual((yield* client.close).code, 1011);
        yield* isHealthy;
    }).pipe(Effect.scoped));
    it.effect.prop("arbitrary messages in any order leave the socket open", [Schema.Array(Schema.Tuple([Ref, Ref, Name, Event, Schema.Json]))], ([frames]) => Effect.gen(function* () {
        const client = yield* connect(yield* Server);
        for (const frame of frames)
            client.send(...frame);
        client.send(null, "last", "phoenix", "heartbeat", {});
        while ((yield* client.next)[1] !== "last")
            assert.isUndefined(client.closed);
        client.ws.terminate();
        yield* isHealthy;
    }).pipe(Effect.scoped));
});
