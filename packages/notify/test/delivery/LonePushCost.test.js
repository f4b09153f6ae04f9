/** What a notification with one push costs: writes of the state, and messages that the bus delivers and a worker decodes. */
import { EventBus } from "@armoricore/bus/EventBus";
import { KeyValue } from "@armoricore/state/KeyValue";
import { eventually } from "@armoricore/testing/Eventually";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { assert, describe, it } from "@effect/vitest";
import { Context, Duration, Effect, Layer } from "effect";
import { TestClock } from "effect/testing";
import { ProviderRegistry } from "../../src/provider/Provider.ts";
import { ports, publish, recordEvents, requestEvent, service } from "../support/NotifyHarness.ts";
const counting = Effect.gen(function* () {
    const cost = { writes: {}, decodes: 0 };
    const state = yield* KeyValue;
    const bus = yield* EventBus;
    const count = (name) => {
        cost.writes[name] = (cost.writes[name] ?? 0) + 1;
    };
    const context = Context.make(KeyValue, KeyValue.of({
        ...state,
        put: (bucket, ...args) => Effect.suspend(() => (count(bucket.name), state.put(bucket, ...args))),
        create: (bucket, ...args) => Effect.suspend(() => (count(bucket.name), state.create(bucket, ...args))),
        update: (bucket, ...args) => Effect.suspend(() => (count(bucket.name), state.update(bucket, ...args))),
    })).pipe(Context.add(EventBus, EventBus.of({
        ...bus,
        consume: (options, handle) => bus.consume(options, (delivery) => Effect.suspend(() => {
            cost.decodes++;
            return handle(delivery);
        })),
    })));
    return { context, cost };
});
const pushes = 500;
const costOf = Effect.fnUntraced(function* (latency) {
    const provider = {
        name: "fake-push",
        channels: ["fcm"],
        reports: false,
        send: () => Duration.isZero(latency)
            ? Effect.succeed({ providerId: "p" })
            : Effect.as(Effect.sleep(latency), { providerId: "p" }),
    };
    const events = yield* recordEvents;
    const { context, cost } = yield* counting;
    const register = Layer.effectDiscard(Effect.flatMap(ProviderRegistry, (registry) => registry.register(provider)));
    yield* Effect.provideContext(Layer.build(Layer.fresh(service(register)).pipe(Layer.provideMerge(Layer.fresh(Ledger.layer)))), context);
    for (let index = 0; index < pushes; index++)
        yield* publish(requestEvent({ recipients: [{ fcm_token: `good-token-${index}` }] }));
    yield* eventually(Effect.as(TestClock.adjust("80 millis"), events), ({ length }) => length >= pushes);
    assert.deepStrictEqual([...new Set(events.map(({ event_type }) => event_type))], ["notification.sent"]);
    return cost;
});
// regression: a lone push wrote 4 state documents and 3.4 ledger records, and 1.71 messages were decoded for it.
describe("a notification with one push", () => {
    for (const millis of [0, 80]) {
        it.effect(`costs two writes of its document, one of the ledger and one decode if its provider answers after ${millis} ms`, () => Effect.gen(function* () {
            const { decodes, writes } = yield* costOf(Duration.millis(millis));
            // Once for each start of the service.
            const { erasing_services: starts, ...forPushes } = writes;
            assert.strictEqual(starts, 1);
            assert.deepStrictEqual(forPushes, { notification: 2 * pushes, ledger: pushes });
            assert.strictEqual(decodes, pushes);
        }).pipe(Effect.provide(Layer.fresh(ports))));
    }
});
