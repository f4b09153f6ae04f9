/** A long recording: a killed attempt continues, no word is lost or duplicated at a cut, and memory stays flat. */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Effect, FileSystem, Path, Schema, Stream } from "effect";
import { ChildProcess } from "effect/process";
import { fileURLToPath } from "node:url";
import { localObjects } from "./support/LocalObjects.ts";
import { readTranscript, isFfmpegMissing } from "./support/Pipeline.ts";
import { wav } from "./support/Recordings.ts";
const script = fileURLToPath(new URL("support/TranscribeProcess.ts", import.meta.url));
const Report = Schema.fromJsonString(Schema.Struct({ transcript: Schema.String, calls: Schema.Int, megabytes: Schema.Finite }));
/** Runs the process, and kills it when it prints the line `until`. */
const run = Effect.fnUntraced(function* (folder, key, event, until) {
    const child = yield* ChildProcess.make(process.execPath, [script, folder, key, event], {
        stdin: "ignore",
        stderr: "inherit",
        forceKillAfter: "1 second",
    });
    const lines = yield* child.stdout.pipe(Stream.decodeText(), Stream.splitLines, Stream.tap((line) => (line === until ? Effect.orDie(child.kill({ killSignal: "SIGKILL" })) : Effect.void)), Stream.runCollect);
    if (until !== undefined)
        return undefined;
    return yield* Schema.decodeUnknownEffect(Report)([...lines].at(-1));
}, Effect.scoped);
describe.skipIf(isFfmpegMissing)("a recording of an hour", () => {
    it.live("continues after a kill, has every word once, and needs the memory of a short recording", () => Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const path = yield* Path.Path;
        const folder = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-ai-test-" }), "objects");
        // The pauses are too short for a cut, so every cut is forced and has an overlap.
        const hour = ToneSpeech.synthesize(9000);
        yield* store(folder, "hour.wav", hour.samples);
        yield* store(folder, "short.wav", ToneSpeech.synthesize(1400).samples);
        const event = "00000000-0000-4000-8000-00000000000";
        const short = yield* run(folder, "short.wav", `${event}1`);
        yield* run(folder, "hour.wav", `${event}2`, "piece 5");
        const cachedBefore = yield* countCached(folder);
        const second = yield* run(folder, "hour.wav", `${event}2`);
        const cachedAfter = yield* countCached(folder);
        assert.isAtLeast(cachedBefore, 3);
        assert.strictEqual(second?.calls, cachedAfter - cachedBefore);
        const third = yield* run(folder, "hour.wav", `${event}3`);
        assert.strictEqual(third?.calls, 0);
        const document = yield* readTranscript(second?.transcript ?? "").pipe(Effect.provide(localObjects(folder)));
        assert.strictEqual(document.words.map(({ text }) => text).join(" "), hour.words.map(({ text }) => text).join(" "));
        const drift = document.words.map(({ start }, index) => Math.abs(start - (hour.words[index]?.start ?? 0)));
        assert.isAtMost(Math.max(...drift), 0.1);
        // Six times the duration: only the words grow. The samples would add 100 MB.
        assert.isAtMost((second?.megabytes ?? 0) - (short?.megabytes ?? 0), 60);
    }).pipe(Effect.provide(NodeServices.layer)), 240_000);
});
const store = (folder, key, samples) => Effect.gen(function* () {
    const storage = yield* ObjectStorage;
    yield* storage.setup("media");
    yield* storage.put({ bucket: "media", key }, wav(samples), { contentType: "audio/wav" });
}).pipe(Effect.provide(localObjects(folder)));
/** The number of cached recognitions of both recordings. */
const countCached = (folder) => Effect.flatMap(ObjectStorage, (storage) => Stream.runCount(storage.list("media", "work/transcription/"))).pipe(Effect.provide(localObjects(folder)));
