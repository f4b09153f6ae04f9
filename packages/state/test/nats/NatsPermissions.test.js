/** deploy/nats.conf as it is shipped: a service keeps its state with the rights it has there, and no other's. */
import { fileURLToPath } from "node:url";
import * as NatsConnection from "@armoricore/nats/NatsConnection";
import { KeyValue } from "@armoricore/state/KeyValue";
import * as NatsState from "@armoricore/state/nats/NatsState";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Logger, Option, Redacted } from "effect";
const conf = fileURLToPath(new URL("../../../../deploy/nats.conf", import.meta.url));
const bucket = (name) => ({ name, maxAge: "never" });
const passwords = Object.fromEntries(["SETUP", "PUBLISHER", "MEDIA", "NOTIFY", "AI", "REALTIME"].map((user) => [`ARMORICORE_${user}_PASSWORD`, "secret"]));
describe.skipIf(Programs.requireProgram("nats-server").missing)("deploy/nats.conf", () => {
    it.live("the media service writes the buckets ledger, media and transcripts, and is refused the others", () => Effect.gen(function* () {
        const { url } = yield* NatsServer.make(["-c", conf], passwords);
        const as = (user, manage) => NatsState.layer({ manage, inboxPrefix: `_INBOX_${user}` }).pipe(Layer.provide(NatsConnection.layer({
            servers: [url],
            user,
            password: Redacted.make("secret"),
            inboxPrefix: `_INBOX_${user}`,
        })));
        const all = ["ledger", "media", "transcripts", "notification"].map(bucket);
        const setup = Effect.flatMap(KeyValue, (state) => state.setup(all));
        const early = yield* Effect.flip(Effect.provide(setup, as("media", "verify")));
        assert.strictEqual(early._tag, "ConfigurationError");
        assert.include(early.message, "armoricore setup");
        yield* Effect.provide(setup, as("setup", "apply"));
        yield* Effect.gen(function* () {
            const state = yield* KeyValue;
            assert.lengthOf(yield* state.setup(all), all.length);
            for (const name of ["ledger", "media", "transcripts"]) {
                const revision = yield* state.create(bucket(name), "a", "one");
                yield* state.update(bucket(name), "a", "two", revision);
                assert.strictEqual(Option.getOrThrow(yield* state.get(bucket(name), "a")).value, "two");
                assert.lengthOf(yield* state.list(bucket(name), { limit: 5 }), 1);
                yield* state.remove(bucket(name), "a");
            }
            for (const forbidden of [
                state.put(bucket("notification"), "a", "x"),
                Effect.as(state.get(bucket("notification"), "a"), 0),
            ]) {
                assert.strictEqual((yield* Effect.flip(forbidden))._tag, "ConfigurationError");
            }
        }).pipe(Effect.provide(as("media", "verify")));
    }).pipe(Effect.provide(Logger.layer([]))));
});
