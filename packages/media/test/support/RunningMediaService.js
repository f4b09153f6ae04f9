/** The media service on memory ports, and the events that a backend publishes to it. */
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir";
import * as MediaService from "@armoricore/media/pipeline/MediaService";
import { Quota } from "@armoricore/media/pipeline/Quota";
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline";
import * as Testing from "@armoricore/testing/Testing";
import { Effect, FileSystem, Layer } from "effect";
import { options, playbackUrls, programs } from "./Pipeline.ts";
export const service = Layer.unwrap(Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-media-test-" });
    const transcode = UploadPipeline.layer(options).pipe(Layer.provide([ScratchDir.layer(folder), Quota.layerNoop]));
    return Layer.provideMerge(MediaService.layerNoDeps(options), transcode);
})).pipe(Layer.provideMerge(Layer.mergeAll(Testing.layer, playbackUrls)), Layer.provideMerge(programs));
export const publish = Effect.fnUntraced(function* (message) {
    const bus = yield* EventBus;
    const body = new TextEncoder().encode(JSON.stringify(message));
    yield* bus.publish({ address: Address.event(message.event_type), id: message.event_id, body });
});
