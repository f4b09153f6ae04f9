/** deploy/nats.conf as it is shipped: a service works with the rights it has there, and what they forbid is refused. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as GeneratedCertificate from "@armoricore/testing/GeneratedCertificate";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Logger, Queue, Redacted } from "effect";
import { nkeys } from "nats";
import * as Address from "../../src/Address.ts";
import { EventBus } from "../../src/EventBus.ts";
import * as NatsBus from "../../src/nats/NatsBus.ts";
import { NatsConnection } from "@armoricore/nats/NatsConnection";
const program = Programs.requireProgram("nats-server");
const openssl = Programs.requireProgram("openssl");
const conf = fileURLToPath(new URL("../../../../deploy/nats.conf", import.meta.url));
const users = ["setup", "publisher", "media", "notify", "ai", "realtime"];
const uploaded = Address.event("media.uploaded");
const maxBytes = 64 * 1024 ** 2;
const bytes = (text) => new TextEncoder().encode(text);
const server = Effect.map(NatsServer.make(["-c", conf], Object.fromEntries(users.map((user) => [`ARMORICORE_${user.toUpperCase()}_PASSWORD`, `${user}-secret`]))), ({ url }) => ({
    setup: NatsBus.layerWithConnection({
        servers: [url],
        user: "setup",
        password: Redacted.make("setup-secret"),
        maxBytes,
    }),
    as: (user) => NatsBus.layerWithConnection({
        servers: [url],
        user,
        password: Redacted.make(`${user}-secret`),
        inboxPrefix: `_INBOX_${user}`,
        manage: "verify",
        maxBytes,
    }),
}));
const prepared = [
    { name: "media-media-uploaded", from: uploaded },
    { name: "ai-transcription-requested", from: Address.event("transcription.requested") },
];
const folder = Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "nats-tls-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })));
describe.skipIf(program.missing)("deploy/nats.conf", () => {
    it.live("a worker consumes, retries, publishes results and letters of any size, and is asked for its depth", () => Effect.gen(function* () {
        const { as, setup } = yield* server;
        const early = yield* Effect.flip(Effect.provide(Effect.flatMap(EventBus, (bus) => bus.setup(prepared)), as("media")));
        assert.strictEqual(early._tag, "ConfigurationError");
        assert.include(early.message, "armoricore setup");
        yield* Effect.gen(function* () {
            const admin = yield* EventBus;
            yield* admin.setup(prepared);
            yield* Effect.provide(Effect.flatMap(EventBus, (bus) => bus.publish({ address: uploaded, id: "u1", body: bytes("one") })), as("realtime"));
            const results = yield* Queue.unbounded();
            yield* admin.consume({ name: "watch", from: Address.event("media.ready"), concurrency: 1 }, ({ id }) => Effect.as(Queue.offer(results, id), { _tag: "Ack" }));
            yield* Effect.gen(function* () {
                const bus = yield* EventBus;
                assert.include((yield* bus.setup(prepared.slice(0, 1))).join("\n"), "consumer media-media-uploaded");
                // Those of others are not its to see.
                const other = yield* Effect.flip(bus.setup(prepared.slice(1)));
                assert.strictEqual(other._tag, "ConfigurationError");
                assert.include(other.message, "permissions");
                const attempts = yield* Queue.unbounded();
                const consumer = yield* bus.consume({
                    name: "media-media-uploaded",
                    from: uploaded,
                    concurrency: 2,
                    onMaxDeliveries: ({ body }) => Effect.succeed({ deadLetter: { address: Address.deadLetter("media", "media.uploaded"), body } }),
                }, ({ deliveryCount }) => Effect.gen(function* () {
                    yield* Queue.offer(attempts, deliveryCount);
                    if (deliveryCount === 1)
                        return { _tag: "Retry", after: Duration.millis(50) };
                    yield* bus
                        .publish({ address: Address.event("media.ready"), id: "r1", body: bytes("ready") })
                        .pipe(Effect.orDie);
                    yield* bus.broadcast(Address.ephemeral("media.progress"), bytes("99")).pipe(Effect.orDie);
                    return {
                        _tag: "DeadLetter",
                        deadLetter: {
                            address: Address.deadLetter("media", "media.uploaded"),
                            body: new Uint8Array(2_000_000),
                        },
                    };
                }));
                assert.strictEqual(yield* Effect.timeout(Queue.take(results), "20 seconds"), "r1");
                yield* admin.deadLetters
                    .list({ limit: 10 })
                    .pipe(Effect.repeat({ until: ({ length }) => length === 1 }), Effect.timeout("20 seconds"));
                yield* consumer.depth.pipe(Effect.repeat({ until: ({ inFlight, pending }) => inFlight + pending === 0 }), Effect.timeout("20 seconds"));
                assert.strictEqual(yield* Queue.size(attempts), 2);
            }).pipe(Effect.scoped, Effect.provide(as("media")));
            const [letter] = yield* admin.deadLetters.list({ limit: 10 });
            assert.strictEqual(letter?.body.byteLength, 2_000_000);
            // The operators' API is where the sockets are: it could not even see the letters.
            yield* Effect.gen(function* () {
                const { deadLetters, publish } = yield* EventBus;
                const [seen] = yield* deadLetters.list({ limit: 10 });
                assert.strictEqual(seen?.body.byteLength, 2_000_000);
                for (const type of ["media.ready", "notification.sent", "transcription.failed"]) {
                    yield* publish({ address: Address.event(type), id: `${type} again`, body: bytes("again") });
                }
                yield* deadLetters.remove(seen?.deadLetterId ?? "");
                assert.deepStrictEqual(yield* deadLetters.list({ limit: 10 }), []);
            }).pipe(Effect.scoped, Effect.provide(as("realtime")));
        }).pipe(Effect.scoped, Effect.provide(setup));
    }).pipe(Effect.provide(Logger.layer([]))));
    it.live("what is not a service's own is refused: others' events, consumers, letters, state and streams", () => Effect.gen(function* () {
        const { as, setup } = yield* server;
        yield* Effect.provide(Effect.flatMap(EventBus, (bus) => bus.setup(prepared)), setup);
        yield* Effect.gen(function* () {
            const bus = yield* EventBus;
            const { client, js, manager } = yield* (yield* NatsConnection).jetstream;
            for (const address of [Address.event("transcription.complete"), Address.deadLetter("ai", "x")]) {
                const fault = yield* Effect.flip(bus.publish({ address, id: "forged", body: bytes("x") }));
                assert.strictEqual(fault._tag, "ConfigurationError");
                assert.include(fault.message, "permissions");
            }
            const foreign = yield* Effect.flip(Effect.scoped(bus.consume({ name: "ai-transcription-requested", from: Address.event("transcription.requested"), concurrency: 1 }, () => Effect.succeed({ _tag: "Ack" }))));
            assert.strictEqual(foreign._tag, "ConfigurationError");
            assert.include(foreign.message, "permissions");
            assert.strictEqual((yield* Effect.flip(bus.deadLetters.list({ limit: 1 })))._tag, "ConfigurationError");
            const refused = (call) => Effect.flip(Effect.tryPromise({ try: call, catch: (cause) => String(cause) }));
            for (const call of [
                () => manager.streams.delete("ARMORICORE"),
                () => manager.streams.add({ name: "OWN", subjects: ["own.>"] }),
                () => manager.consumers.add("ARMORICORE", { durable_name: "spy" }),
                () => js.publish("$KV.armoricore_notification.a", "x", { timeout: 2_000 }),
                () => client.request("$JS.API.STREAM.MSG.GET.ARMORICORE_DEAD", '{"seq":1}', { timeout: 2_000 }),
            ]) {
                assert.match(yield* refused(call), /permission/i);
            }
        }).pipe(Effect.scoped, Effect.provide(as("media")));
    }).pipe(Effect.provide(Logger.layer([]))));
    it.live("a publisher publishes the three events of a backend and nothing else", () => Effect.gen(function* () {
        const { as, setup } = yield* server;
        yield* Effect.provide(Effect.flatMap(EventBus, (bus) => bus.setup(prepared)), setup);
        yield* Effect.gen(function* () {
            const { js } = yield* (yield* NatsConnection).jetstream;
            const publish = (subject) => Effect.tryPromise({ try: () => js.publish(subject, "{}", { timeout: 2_000 }), catch: String });
            for (const type of ["media.uploaded", "notification.requested", "transcription.requested"]) {
                assert.isAbove((yield* publish(`armoricore.${type}`)).seq, 0);
            }
            for (const subject of ["armoricore.media.ready", "armoricore-dead.media.x", "armoricore-work.media.x"]) {
                assert.match(yield* Effect.flip(publish(subject)), /permission/i);
            }
        }).pipe(Effect.scoped, Effect.provide(as("publisher")));
    }).pipe(Effect.provide(Logger.layer([]))));
});
describe.skipIf(program.missing || openssl.missing)("a NATS server with TLS and nkeys", () => {
    it.live("is trusted by its authority's certificate alone, and knows its users by their nkeys", () => Effect.gen(function* () {
        const path = yield* folder;
        const key = nkeys.createUser();
        writeFileSync(join(path, "nats.conf"), `authorization { users: [ { nkey: ${key.getPublicKey()} } ] }\n`);
        const { ca, cert, key: secret } = yield* GeneratedCertificate.make(openssl.path);
        const { url } = yield* NatsServer.make([
            "-c",
            join(path, "nats.conf"),
            "--tls",
            "--tlscert",
            cert,
            "--tlskey",
            secret,
        ]);
        const servers = [url.replace("nats://127.0.0.1", "tls://localhost")];
        const seedOf = (pair) => Redacted.make(new TextDecoder().decode(pair.getSeed()));
        const setup = Effect.flatMap(EventBus, (bus) => bus.setup([]));
        const right = NatsBus.layerWithConnection({ servers, ca, nkeySeed: seedOf(key), maxBytes });
        assert.isNotEmpty(yield* Effect.provide(setup, right));
        const stranger = NatsBus.layerWithConnection({ servers, ca, nkeySeed: seedOf(nkeys.createUser()), maxBytes });
        assert.strictEqual((yield* Effect.flip(Effect.provide(setup, stranger)))._tag, "ConfigurationError");
        const untrusting = NatsBus.layerWithConnection({ servers, nkeySeed: seedOf(key), maxBytes });
        const publish = Effect.flatMap(EventBus, (bus) => bus.publish({ address: uploaded, id: "x", body: new Uint8Array() }));
        assert.strictEqual((yield* Effect.flip(Effect.provide(publish, untrusting)))._tag, "TransientError");
    }).pipe(Effect.provide(Logger.layer([]))));
    it.live("copies that no cluster is there for are refused by the setting's name", () => Effect.gen(function* () {
        const { url } = yield* NatsServer.make();
        const error = yield* Effect.flip(Effect.provide(Effect.flatMap(EventBus, (bus) => bus.setup([])), NatsBus.layerWithConnection({ servers: [url], replicas: 3, maxBytes })));
        assert.strictEqual(error._tag, "ConfigurationError");
        assert.include(error.message, "NATS_REPLICAS");
    }).pipe(Effect.provide(Logger.layer([]))));
});
