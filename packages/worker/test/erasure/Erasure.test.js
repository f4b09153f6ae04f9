/** The erasure of a user over several services: each removes its own stores, and the last word is one `user.erased`. */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { TransientError } from "@armoricore/domain/Errors";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import * as Testing from "@armoricore/testing/Testing";
import * as BusErasure from "@armoricore/worker/erasure/BusErasure";
import * as Erasure from "@armoricore/worker/erasure/Erasure";
import * as Worker from "@armoricore/worker/Worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Logger } from "effect";
const pause = Duration.millis(20);
const at = "2026-02-01T12:00:00Z";
const envelope = (event_type, payload, event_id = crypto.randomUUID()) => ({
    event_type,
    event_id,
    timestamp: at,
    source: event_type === "user.erase_requested" ? "php-backend" : "realtime",
    payload,
});
const publish = Effect.fnUntraced(function* (event) {
    const bus = yield* EventBus;
    const body = new TextEncoder().encode(JSON.stringify(event));
    yield* bus.publish({ address: { channel: "event", type: event.event_type }, id: event.event_id, body });
});
const recordErased = Effect.gen(function* () {
    const bus = yield* EventBus;
    const erased = [];
    yield* bus.subscribe(Address.event("user.erased"), ({ body }) => {
        const decoded = EventCodec.decodeResult(body);
        if (decoded._tag === "Success" && decoded.success.event.event_type === "user.erased")
            erased.push(decoded.success.event.payload);
    });
    return erased;
});
/** A store with entries by user, which fails at its first call. */
const storeOf = (name, entries) => {
    let calls = 0;
    return {
        name,
        erase: ({ userId }) => Effect.suspend(() => {
            if (++calls === 1)
                return Effect.fail(new TransientError({ dependency: name, code: "unavailable", message: "it is away" }));
            const retained = entries.filter((user) => user !== userId);
            const removed = entries.length - retained.length;
            entries.splice(0, entries.length, ...retained);
            return Effect.succeed(removed);
        }),
    };
};
const start = Effect.fnUntraced(function* (service, stores) {
    yield* Worker.run(service, [
        yield* Erasure.handler(service, stores, { pause, isCoordinator: service === "realtime" }),
    ]);
});
const ports = Layer.merge(Testing.layer, Logger.layer([]));
describe("user.erase_requested", () => {
    it.live("is answered once all registered services have found nothing more", () => Effect.gen(function* () {
        const erased = yield* recordErased;
        const [media, messages] = [
            ["u1", "u2"],
            ["u1", "u1"],
        ];
        yield* start("realtime", [storeOf("messages", messages)]);
        // Registered, and not running yet.
        const handler = yield* Erasure.handler("media", [storeOf("media", media)], { pause });
        yield* publish(envelope("user.erase_requested", { user_id: "u1" }));
        yield* eventually(() => messages.length === 0);
        yield* expectNothingFor("100 millis", () => erased.length > 0);
        yield* Worker.run("media", [handler]);
        yield* eventually(() => erased.length === 1);
        assert.deepInclude(erased[0], { user_id: "u1", removed: { media: 1, messages: 2 } });
        assert.deepStrictEqual(media, ["u2"]);
    }).pipe(Effect.provide(ports)));
    it.live("removes what a queue stores meanwhile, and a repeated request reports again", () => Effect.gen(function* () {
        const erased = yield* recordErased;
        const entries = ["u1"];
        let late = 2;
        const store = {
            name: "media",
            erase: () => Effect.sync(() => {
                const removed = entries.splice(0).length;
                if (late-- > 0)
                    entries.push("u1");
                return removed;
            }),
        };
        yield* start("realtime", [store]);
        yield* publish(envelope("user.erase_requested", { user_id: "u1" }));
        yield* eventually(() => erased.length === 1);
        assert.deepInclude(erased[0], { removed: { media: 3 } });
        assert.deepStrictEqual(entries, []);
        yield* publish(envelope("user.erase_requested", { user_id: "u1" }));
        yield* eventually(() => erased.length === 2);
        assert.deepInclude(erased[1], { removed: { media: 0 } });
        const precedes = yield* Erasure.makePrecedesErasure;
        assert.isTrue(yield* precedes("u1", at));
        assert.isFalse(yield* precedes("u1", "2026-02-01T12:00:01Z"));
        assert.isFalse(yield* precedes("u2", at));
    }).pipe(Effect.provide(ports)));
    it.live("removes the user's handled events and dead letters from the bus", () => Effect.gen(function* () {
        const bus = yield* EventBus;
        const erased = yield* recordErased;
        const chat = (user_id) => publish(envelope("chat.message", {
            message_id: crypto.randomUUID(),
            room_id: "r",
            user_id,
            content: "c",
            timestamp: at,
        }));
        for (const user of ["7", 7, "77"])
            yield* chat(user);
        yield* bus.publish({
            address: Address.deadLetter("media", "media.uploaded"),
            id: "dead",
            body: new TextEncoder().encode(JSON.stringify({ payload: { user_id: 7 } })),
        });
        yield* start("realtime", yield* BusErasure.makeStores);
        yield* publish(envelope("user.erase_requested", { user_id: "7" }));
        yield* eventually(() => erased.length === 1);
        assert.deepInclude(erased[0], { removed: { events: 2, dead_letters: 1 } });
        assert.strictEqual(yield* bus.removeHandled("chat.message", () => true), 1);
    }).pipe(Effect.provide(ports)));
});
