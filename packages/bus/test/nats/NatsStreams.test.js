import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { connect, NatsError } from "nats";
import * as Address from "../../src/Address.ts";
import { errorFrom } from "@armoricore/nats/NatsErrors";
import { addStream } from "@armoricore/nats/NatsResource";
import { ensureConsumer, ensureStreams } from "../../src/nats/NatsStreams.ts";
const wanted = { name: "MINE", subjects: ["mine.>"] };
const said = (code, err_code, description) => Object.assign(new NatsError(description, String(code)), { api_error: { code, err_code, description } });
const opened = Effect.gen(function* () {
    const { url } = yield* NatsServer.make();
    const client = yield* Effect.acquireRelease(Effect.promise(() => connect({ servers: url })), (opened) => Effect.promise(() => opened.close()));
    return yield* Effect.promise(() => client.jetstreamManager());
});
describe.skipIf(Programs.requireProgram("nats-server").missing)("adding a stream", () => {
    it.live("a start at the same time as others ended with: subjects overlap with an existing stream", () => Effect.gen(function* () {
        const manager = yield* opened;
        const add = manager.streams.add.bind(manager.streams);
        // The server's response while another process's request is half done.
        manager.streams.add = async (config) => {
            await add(config);
            return add({ ...config, name: "HALF" });
        };
        assert.isFalse(yield* addStream("stream MINE", manager, wanted));
    }));
    it.live("names the remedy when a foreign stream uses the subjects", () => Effect.gen(function* () {
        const manager = yield* opened;
        yield* Effect.promise(() => manager.streams.add({ name: "THEIRS", subjects: ["mine.*"] }));
        const error = yield* Effect.flip(addStream("stream MINE", manager, wanted));
        assert.strictEqual(error._tag, "ConfigurationError");
        assert.include(error.message, "Another stream on the NATS server uses subjects of stream MINE");
        assert.include(error.message, "nats stream ls --subjects");
    }));
});
it("retries a message that another publisher is storing under the same id", () => {
    const error = errorFrom("stream MINE")(said(409, 10158, "duplicate message id is in process"));
    assert.strictEqual(error._tag, "TransientError");
});
describe.skipIf(Programs.requireProgram("nats-server").missing)("adding a consumer", () => {
    it.live("a start at the same time as one with other settings ended with: consumer already exists", () => Effect.gen(function* () {
        const manager = yield* opened;
        yield* ensureStreams(manager, {});
        const add = manager.consumers.add.bind(manager.consumers);
        // The response of servers since NATS 2.10 when another process was first.
        manager.consumers.add = async (stream, config) => {
            manager.consumers.add = add;
            await add(stream, { ...config, ack_wait: 1_000_000_000 });
            throw said(400, 10148, "consumer already exists");
        };
        const wanted = { name: "mine", from: Address.event("media.ready") };
        assert.include(yield* ensureConsumer(manager, wanted, "apply"), "updated ack_wait");
    }));
});
describe.skipIf(Programs.requireProgram("nats-server").missing)("replicas on a server without a cluster", () => {
    it.live("are refused, for new and for existing streams", () => 
    // regression: the server accepts the number for an existing stream and stores one copy
    Effect.gen(function* () {
        const fresh = yield* opened;
        assert.strictEqual((yield* Effect.flip(ensureStreams(fresh, { replicas: 3 })))._tag, "ConfigurationError");
        const manager = yield* opened;
        yield* ensureStreams(manager, {});
        for (const again of ["updated", "unchanged"]) {
            const error = yield* Effect.flip(ensureStreams(manager, { replicas: 3 }));
            assert(error._tag === "ConfigurationError", again);
            assert.strictEqual(error.setting, "NATS_REPLICAS");
            assert.match(error.message, /stores 1 copy of the stream ARMORICORE, not 3/);
        }
    }));
});
