import { Testing } from "@armoricore/testing";
import { emit, on, Worker } from "@armoricore/worker";
import { Effect, Layer } from "effect";
export const pipeline = Layer.effectDiscard(Worker.run("media", [
    on("media.uploaded", {
        handle: ({ payload }) => Effect.succeed([emit("media.playable", { ...payload, playback_urls: { hls: "…", mp4: {} } })]),
        onFailure: () => [],
    }),
])).pipe(Layer.provideMerge(Testing.layer));
