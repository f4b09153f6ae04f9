import * as ChunkedEncodes from "@armoricore/media/chunked/ChunkedEncodes";
import * as Limits from "@armoricore/bus/Limits";
import { KeyValue } from "@armoricore/state/KeyValue";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Option } from "effect";
/** The output of the audio chunk of a video with this length and number of tracks. */
const audioOutput = (hours, tracks) => ({
    staging: "media/film/0123456789abcdef/chunks/audio-1/",
    images: [],
    tracks: Array.from({ length: tracks }, (_, track) => ({
        folder: track === 0 ? "audio" : `audio-${track + 1}`,
        track: { codec: "mp4a.40.2", timescale: 48000, sampleDuration: 1024 },
        init_hash: "a".repeat(64),
        init_bytes: 740,
        segments: Array.from({ length: hours * 900 }, (_, at) => ({
            name: `${String(at).padStart(5, "0")}.m4s`,
            seconds: at % 3 === 0 ? 3.989333333333333 : 4.010666666666666,
            bytes: 64_000 + ((at * 7919 + track * 104_729) % 1999),
            iFrameSegments: [],
        })),
    })),
});
describe("CompressedSegments", () => {
    it.effect("stores the audio of the longest video with many tracks below the message limit of NATS, without loss", () => Effect.gen(function* () {
        const encodes = yield* ChunkedEncodes.make;
        const state = yield* KeyValue;
        for (const [hours, tracks] of [
            [0, 1],
            [1, 1],
            [3, 6],
            [12, 12],
        ]) {
            const version = `v${hours}`;
            const output = audioOutput(hours, tracks);
            assert.deepStrictEqual(yield* encodes.recordOutput(version, ChunkedEncodes.audioChunk, output), output);
            const found = yield* state.get(ChunkedEncodes.chunkOutputs.bucket, `${version}.${ChunkedEncodes.audioChunk}`);
            assert.isBelow(Buffer.byteLength(Option.getOrThrow(found).value), Limits.maxMessageBytes * 0.95);
            assert.deepStrictEqual(yield* encodes.findOutput(version, ChunkedEncodes.audioChunk), output);
            // A slower worker gets the recorded output.
            assert.deepStrictEqual(yield* encodes.recordOutput(version, ChunkedEncodes.audioChunk, audioOutput(hours, 1)), output);
        }
    }).pipe(Effect.provide(MemoryState.layer)));
});
