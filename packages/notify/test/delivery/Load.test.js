/**
 * Ten thousand notifications during an outage and the death of a worker. Each gets exactly one final state, which
 * agrees with the log of the fake provider.
 *
 * The outage lasts 3 s, and the circuit opens for 200 ms at most, which keeps the suite short. To test 30 s with the
 * default circuit: `ARMORICORE_OUTAGE_SECONDS=30 npx vitest run --project notify Load`.
 */
import { FakeApns } from "@armoricore/testing/fakes/FakeApns";
import { WorkerTimeouts } from "@armoricore/worker/Worker";
import { assert, it } from "@effect/vitest";
import { Duration, Effect, Exit, Layer, References, Schema, Scope } from "effect";
import { DeliveryPolicy } from "../../src/delivery/DeliveryPolicy.ts";
import * as Apns from "../../src/providers/push/Apns.ts";
import { recordEvents, ports, publishRequest, fastTimings, service, until, } from "../support/NotifyHarness.ts";
const total = 10_000;
const requestedOutage = process.env["ARMORICORE_OUTAGE_SECONDS"];
const outage = Duration.seconds(Number(requestedOutage ?? 3));
/** The seconds that the default circuit adds to each step. */
const extraSeconds = requestedOutage === undefined ? 0 : 60 + Number(requestedOutage);
const rules = requestedOutage === undefined ? fastTimings : Layer.empty;
const concurrency = 100;
/** The timeout of each step in seconds. An idle machine needs about five; a busy one needs minutes. */
const stepTimeout = 300;
const times = Layer.succeed(WorkerTimeouts, {
    leaseDuration: Duration.seconds(2),
    drainTimeout: Duration.millis(1),
    misconfigurationDelay: Duration.seconds(1),
});
const policy = Layer.effect(DeliveryPolicy, Effect.map(DeliveryPolicy, (defaults) => ({ ...defaults, concurrency, callTimeout: Duration.seconds(15) })));
const routes = Layer.unwrap(Effect.map(FakeApns, ({ baseUrl, ca, key, keyId, teamId, topic }) => Apns.layer({ baseUrl, ca, key, keyId, teamId, topic })));
const Deliveries = Schema.Array(Schema.Struct({ status: Schema.Literals(["sent", "failed"]) }));
const worker = Effect.gen(function* () {
    const scope = yield* Scope.make();
    yield* Layer.buildWithScope(Layer.fresh(service(routes, { rules }).pipe(Layer.provide(policy))), scope).pipe(Effect.provide(times));
    return scope;
});
it.live("each of 10,000 notifications ends once despite dead and throttled tokens, an outage and a dying worker", () => Effect.gen(function* () {
    const fake = yield* FakeApns;
    const events = yield* recordEvents;
    const dead = fake.tokenFor("Unregistered").slice(0, 6);
    const throttled = fake.tokenFor("TooManyRequests").slice(0, 6);
    const tokenOf = (index) => {
        const prefix = index % 20 === 0 ? dead : index % 20 === 1 ? throttled : "ee0000";
        return `${prefix}${index.toString(16).padStart(58, "0")}`;
    };
    const tokens = Array.from({ length: total }, (_, index) => tokenOf(index));
    const first = yield* worker;
    const ids = new Map();
    for (const token of tokens)
        ids.set(yield* publishRequest({ recipients: [{ apns_token: token }] }), token);
    const sentSoFar = Effect.sync(() => fake.sent.length);
    yield* until(sentSoFar, (sent) => sent >= 2_000, stepTimeout);
    fake.unavailable = true;
    yield* Effect.sleep(outage);
    const beforeKill = fake.sent.length;
    fake.unavailable = false;
    yield* until(sentSoFar, (sent) => sent >= beforeKill + 1_000, stepTimeout + extraSeconds);
    yield* Scope.close(first, Exit.void);
    const second = yield* worker;
    const finals = (type) => new Set(events
        .filter(({ event_type }) => event_type === type)
        .map(({ payload }) => String(payload["notification_id"])));
    yield* until(Effect.sync(() => finals("notification.sent").size + finals("notification.failed").size), (count) => count === total, stepTimeout + extraSeconds);
    yield* Scope.close(second, Exit.void);
    const sent = finals("notification.sent");
    const failed = finals("notification.failed");
    assert.isTrue([...sent].every((id) => !failed.has(id)));
    const deadTokens = new Set(tokens.filter((token) => token.startsWith(dead)));
    assert.strictEqual(failed.size, deadTokens.size);
    assert.isTrue([...failed].every((id) => deadTokens.has(ids.get(id) ?? "")));
    const invalid = new Set(events
        .filter(({ event_type }) => event_type === "device.token_invalid")
        .map(({ payload }) => payload["token_hash"]));
    assert.strictEqual(invalid.size, deadTokens.size);
    // The provider's own log: every valid token got its push, no dead token did, and repetitions have the same id.
    const idsOf = new Map();
    for (const { id, token } of fake.sent)
        idsOf.set(token, (idsOf.get(token) ?? new Set()).add(id));
    assert.deepStrictEqual([...idsOf.keys()].toSorted(), tokens.filter((token) => !deadTokens.has(token)).toSorted());
    assert.isTrue([...idsOf.values()].every((one) => one.size === 1));
    // The maximum number of calls in progress when the worker died: those of work messages, and first attempts
    // without one.
    assert.isAtMost(fake.sent.length - idsOf.size, 2 * concurrency);
}).pipe(Effect.provide(Layer.merge(ports, FakeApns.layer)), Effect.provideService(References.MinimumLogLevel, "Error")), 4_000 * (stepTimeout + extraSeconds));
it.live("each target of a push batch ends once despite dead and throttled tokens, an outage and a dying worker", () => Effect.gen(function* () {
    const fake = yield* FakeApns;
    const events = yield* recordEvents;
    const dead = fake.tokenFor("Unregistered").slice(0, 6);
    const throttled = fake.tokenFor("TooManyRequests").slice(0, 6);
    const tokens = Array.from({ length: 3_200 }, (_, index) => {
        const prefix = index % 20 === 0 ? dead : index % 20 === 1 ? throttled : "ee0000";
        return `${prefix}${index.toString(16).padStart(58, "0")}`;
    });
    const each = 160;
    const first = yield* worker;
    const expectedIds = new Set();
    for (let from = 0; from < tokens.length; from += each) {
        const recipients = tokens.slice(from, from + each).map((apns_token) => ({ apns_token }));
        expectedIds.add(yield* publishRequest({ recipients }));
    }
    const sentSoFar = Effect.sync(() => fake.sent.length);
    yield* until(sentSoFar, (sent) => sent >= 500, stepTimeout);
    fake.unavailable = true;
    yield* Effect.sleep("1 second");
    const beforeKill = fake.sent.length;
    fake.unavailable = false;
    yield* until(sentSoFar, (sent) => sent >= beforeKill + 200, stepTimeout);
    yield* Scope.close(first, Exit.void);
    const second = yield* worker;
    const finals = () => events.filter(({ event_type }) => event_type === "notification.sent");
    const ended = () => new Set(finals().map(({ payload }) => String(payload["notification_id"])));
    yield* until(Effect.sync(() => ended().size), (count) => count === expectedIds.size, stepTimeout);
    yield* Scope.close(second, Exit.void);
    assert.deepStrictEqual(ended(), expectedIds);
    assert.strictEqual(new Set(finals().map(({ event_id }) => event_id)).size, expectedIds.size);
    for (const { payload } of finals()) {
        const counts = { sent: 0, failed: 0 };
        for (const { status } of Schema.decodeUnknownSync(Deliveries)(payload["deliveries"]))
            counts[status]++;
        assert.deepStrictEqual(counts, { sent: each * 0.95, failed: each * 0.05 });
    }
    const invalid = new Set(events
        .filter(({ event_type }) => event_type === "device.token_invalid")
        .map(({ payload }) => payload["token_hash"]));
    assert.strictEqual(invalid.size, tokens.length * 0.05);
    const idsOf = new Map();
    for (const { id, token } of fake.sent)
        idsOf.set(token, (idsOf.get(token) ?? new Set()).add(id));
    assert.deepStrictEqual([...idsOf.keys()].toSorted(), tokens.filter((token) => !token.startsWith(dead)).toSorted());
    assert.isTrue([...idsOf.values()].every((one) => one.size === 1));
    // The maximum number of calls in progress when the worker died: those of push batches, and those of single
    // deliveries.
    assert.isAtMost(fake.sent.length - idsOf.size, 2 * concurrency);
}).pipe(Effect.provide(Layer.merge(ports, FakeApns.layer)), Effect.provideService(References.MinimumLogLevel, "Error")), 4_000 * stepTimeout);
