/**
 * Raw audio samples in a file: 16 kHz, mono, signed 16 bits little-endian. Files are streamed, so memory does not grow
 * with the length of the recording.
 */
import { Effect, FileSystem, Stream } from "effect";
import { createHash } from "node:crypto";
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
export const sampleRate = 16_000;
/** One frame of the loudness curve is 100 ms. */
export const samplesPerFrame = sampleRate / 10;
export const measure = Effect.fn("Pcm.measure")(function* (file) {
    const fs = yield* FileSystem.FileSystem;
    const hash = createHash("sha256");
    const frames = [];
    let bytes = 0;
    let sum = 0;
    let count = 0;
    // A buffer may end in the middle of a sample.
    let pendingByte;
    const finishFrame = () => {
        frames.push(Math.max(-100, 10 * Math.log10(sum / count / 32_768 ** 2 + 1e-12)));
        sum = 0;
        count = 0;
    };
    const addSample = (value) => {
        sum += value * value;
        if (++count === samplesPerFrame)
            finishFrame();
    };
    yield* mapDiskErrors(Stream.runForEach(fs.stream(file, { chunkSize: 256 * 1024 }), (buffer) => Effect.sync(() => {
        hash.update(buffer);
        bytes += buffer.byteLength;
        const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
        let offset = 0;
        if (pendingByte !== undefined && buffer.byteLength > 0) {
            addSample(((view.getUint8(0) << 24) >> 16) | pendingByte);
            pendingByte = undefined;
            offset = 1;
        }
        for (; offset + 1 < buffer.byteLength; offset += 2)
            addSample(view.getInt16(offset, true));
        if (offset < buffer.byteLength)
            pendingByte = view.getUint8(offset);
    })));
    if (count > 0)
        finishFrame();
    return {
        sha256: hash.digest("hex"),
        sampleCount: Math.floor(bytes / 2),
        loudness: Float32Array.from(frames),
    };
});
/** Writes the samples from `startSample` up to `endSample` (exclusive) as a WAV file. */
export const writeWav = Effect.fn("Pcm.writeWav")(function* (file, startSample, endSample, target) {
    const fs = yield* FileSystem.FileSystem;
    const body = fs.stream(file, {
        offset: startSample * 2,
        bytesToRead: (endSample - startSample) * 2,
        chunkSize: 256 * 1024,
    });
    yield* mapDiskErrors(Stream.run(Stream.concat(Stream.make(wavHeader(endSample - startSample)), body), fs.sink(target)));
});
/** The 44-byte header. */
export const wavHeader = (sampleCount) => {
    const header = Buffer.alloc(44);
    header.write("RIFF", 0);
    header.writeUInt32LE(36 + sampleCount * 2, 4);
    header.write("WAVEfmt ", 8);
    header.writeUInt32LE(16, 16);
    header.writeUInt16LE(1, 20);
    header.writeUInt16LE(1, 22);
    header.writeUInt32LE(sampleRate, 24);
    header.writeUInt32LE(sampleRate * 2, 28);
    header.writeUInt16LE(2, 32);
    header.writeUInt16LE(16, 34);
    header.write("data", 36);
    header.writeUInt32LE(sampleCount * 2, 40);
    return header;
};
