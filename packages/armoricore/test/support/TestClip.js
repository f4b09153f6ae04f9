/** A clip with video and audio that takes some seconds to transcode, and its events in the bus of a data folder. */
import { EventBus } from "@armoricore/bus/EventBus";
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus";
import { event } from "@armoricore/bus/Address";
import * as EventCodec from "@armoricore/domain/EventCodec";
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine";
import { Effect, Layer, Option, Queue } from "effect";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryDirectory } from "./ProgramProcess.ts";
const source = "testsrc2=s=1280x720:r=30";
export const make = Effect.fnUntraced(function* (ffmpeg, seconds) {
    const file = join(yield* temporaryDirectory, "clip.mp4");
    const args = `-v error -f lavfi -i ${source} -f lavfi -i sine=f=330 -t ${seconds} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac`;
    yield* Effect.promise(() => promisify(execFile)(ffmpeg, [...args.split(" "), file]));
    return file;
});
/** Ids of the `media.ready` events of one media, read from the data folder after the program has exited. */
export const readyEventIds = (data, mediaId) => Effect.gen(function* () {
    const bus = yield* EventBus;
    const found = yield* Queue.unbounded();
    yield* bus.consume({ name: "test-reader", from: event("media.ready"), concurrency: 1 }, (delivery) => EventCodec.decode(delivery.body).pipe(Effect.orDie, Effect.flatMap(({ event: received }) => received.event_type === "media.ready" && received.payload.media_id === mediaId
        ? Queue.offer(found, received.event_id)
        : Effect.void), Effect.as({ _tag: "Ack" })));
    const first = yield* Queue.take(found);
    // A second event would follow at once.
    const second = yield* Effect.timeoutOption(Queue.take(found), "2 seconds");
    return [first, ...Option.toArray(second)];
}).pipe(Effect.scoped, Effect.provide(EmbeddedBus.layer.pipe(Layer.provide(EmbeddedEngine.layerOwner({ folder: join(data, "engine") })))));
