import * as NatsConnection from "@armoricore/nats/NatsConnection";
import { KeyValue } from "@armoricore/state/KeyValue";
import { decode, encode } from "@armoricore/state/nats/NatsKey";
import * as NatsState from "@armoricore/state/nats/NatsState";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Option, Schedule, Schema } from "effect";
describe("NatsKey", () => {
    it.effect.prop("is reversible and one token of a subject", [Schema.String], ([text]) => Effect.sync(() => {
        const key = text.toWellFormed();
        const token = encode(key);
        if (key !== "")
            assert.match(token, /^[-/=\w]+$/);
        assert.strictEqual(token === "" ? "" : decode(token), key);
    }));
    it("tells nothing about what others wrote", () => {
        for (const token of ["a.b", "a=", "a=XY", "é"])
            assert.isUndefined(decode(token));
    });
});
describe.skipIf(Programs.requireProgram("nats-server").missing)("NatsState", () => {
    const usingState = (use) => Effect.gen(function* () {
        const server = yield* NatsServer.make();
        const scope = NatsState.layer();
        return yield* Effect.flatMap(NatsConnection.NatsConnection, (connection) => Effect.andThen(connection.connected, use)).pipe(Effect.provide(scope), Effect.provide(NatsConnection.layer({ servers: [server.url] })), Effect.provideService(NatsServer.NatsServer, server));
    });
    const bucket = { name: "things", maxAge: Duration.hours(1) };
    it.live("says that setup is missing where a bucket is", () => usingState(Effect.gen(function* () {
        const { create, get, list, put } = yield* KeyValue;
        const faults = yield* Effect.all([
            Effect.flip(get(bucket, "a")),
            Effect.flip(put(bucket, "a", "x")),
            Effect.flip(create(bucket, "a", "x")),
            Effect.flip(list(bucket, { limit: 1 })),
        ]);
        for (const fault of faults) {
            assert.strictEqual(fault._tag, "ConfigurationError");
            assert.include(fault.message, "armoricore setup");
        }
    })));
    it.live("follows a bucket whose maximum age was changed", () => usingState(Effect.gen(function* () {
        const { get, put, setup } = yield* KeyValue;
        yield* setup([bucket]);
        yield* put(bucket, "a", "retained");
        const [line] = yield* setup([{ ...bucket, maxAge: Duration.hours(2) }]);
        assert.include(line ?? "", "changed");
        const [again] = yield* setup([{ ...bucket, maxAge: Duration.hours(2) }]);
        assert.notInclude(again ?? "", "changed");
        assert.strictEqual(Option.getOrThrow(yield* get(bucket, "a")).value, "retained");
    })));
    it.live("says what to do about a value that the server does not take", () => usingState(Effect.gen(function* () {
        const { put, setup } = yield* KeyValue;
        yield* setup([bucket]);
        const fault = yield* Effect.flip(put(bucket, "a", "x".repeat(2_000_000)));
        assert.strictEqual(fault._tag, "ConfigurationError");
        assert.include(fault.message, "max_payload");
    })));
    it.live("fails at once and passingly while no server is there", () => usingState(Effect.gen(function* () {
        const { get, put, setup } = yield* KeyValue;
        yield* setup([bucket]);
        yield* put(bucket, "a", "retained");
        const server = yield* NatsServer.NatsServer;
        yield* server.kill;
        const fault = yield* Effect.flip(get(bucket, "a"));
        assert.strictEqual(fault._tag, "TransientError");
        yield* server.restart;
        const found = yield* get(bucket, "a").pipe(Effect.retry({ times: 200, schedule: Schedule.spaced("100 millis") }));
        assert.strictEqual(Option.getOrThrow(found).value, "retained");
    })));
});
