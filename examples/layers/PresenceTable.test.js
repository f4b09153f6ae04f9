/** Tests the consumer on a bus in memory: each event becomes one row, and the query returns the peaks. */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { Testing } from "@armoricore/testing";
import { assert, it } from "@effect/vitest";
import { Effect, Schedule } from "effect";
import { DatabaseSync } from "node:sqlite";
import * as PresenceTable from "./PresenceTable.ts";
const noon = Date.parse("2026-01-31T12:00:00Z");
/** Changes of status with their seconds after noon. The last one repeats ann's arrival with another message id. */
const changes = [
    ["01", 0, "ann", "online"],
    ["02", 10, "bob", "online"],
    ["03", 20, "ann", "away"],
    ["04", 30, "ann", "offline"],
    ["05", 90, "cyd", "online"],
    ["06", 100, "bob", "offline"],
    ["01", 0, "ann", "online"],
];
it.live("counts concurrent users by minute", () => Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(Effect.sync(() => new DatabaseSync(":memory:")), (opened) => Effect.sync(() => opened.close()));
    const bus = yield* EventBus;
    yield* PresenceTable.collect(database);
    for (const [index, [id, seconds, user, status]] of changes.entries()) {
        const timestamp = new Date(noon + seconds * 1000).toISOString();
        const body = EventCodec.encode({
            event_type: "presence.update",
            event_id: `0190a1b2-c3d4-7e5f-8a9b-0000000000${id}`,
            timestamp,
            source: "realtime",
            payload: { user_id: user, room_id: "harbour", status, timestamp },
        });
        yield* bus.publish({ address: event("presence.update"), id: String(index), body });
    }
    const minutes = Effect.sync(() => database
        .prepare(PresenceTable.concurrentUsers)
        .all()
        .map((row) => ({ ...row })));
    yield* minutes.pipe(Effect.filterOrFail(() => Number(database.prepare("SELECT COUNT(*) AS n FROM presence").get()?.["n"]) === 6), Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo({ duration: "5 seconds" }))));
    assert.deepStrictEqual(yield* minutes, [
        { room_id: "harbour", minute: noon, peak: 2 },
        { room_id: "harbour", minute: noon + 60_000, peak: 2 },
    ]);
}).pipe(Effect.scoped, Effect.provide(Testing.layer)));
