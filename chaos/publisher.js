/**
 * Publishes events until it has so many acknowledgements: each again with the same id until the bus has it, as a backend
 * would. Prints each id when it is sent first (`sent`) and when it is acknowledged (`ok`).
 */
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { deriveId } from "@armoricore/domain/DeterministicId";
import { Effect, Schedule } from "effect";
import { busAndState, untilSigterm, warningsOnStderr } from "./Adapters.ts";
const name = process.env["CHAOS_NAME"] ?? "p";
const count = Number(process.env["CHAOS_EVENTS"] ?? 100);
const say = (line) => Effect.sync(() => void process.stdout.write(`${line}\n`));
const program = Effect.gen(function* () {
    const bus = yield* EventBus;
    yield* Effect.forEach(Array.from({ length: count }, (_, index) => deriveId("chaos", name, String(index))), (id) => Effect.gen(function* () {
        yield* say(`sent ${id}`);
        const envelope = {
            event_type: "media.uploaded",
            event_id: id,
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload: { media_id: id, user_id: name, file_path: "s3://media/a.mp4" },
        };
        const body = new TextEncoder().encode(JSON.stringify(envelope));
        yield* bus
            .publish({ address: event("media.uploaded"), id, body })
            .pipe(Effect.retry({ schedule: Schedule.spaced("200 millis") }));
        yield* say(`ok ${id}`);
        yield* Effect.sleep("20 millis");
    }), { concurrency: 4, discard: true });
    yield* say("done");
});
await Effect.runPromise(program.pipe(Effect.raceFirst(untilSigterm), Effect.provide(busAndState), Effect.provide(warningsOnStderr)));
process.exit(0);
