import { SpeechEngine } from "@armoricore/ai";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { Effect, FileSystem } from "effect";
import * as FixtureEngine from "./FixtureEngine.ts";
const transcribe = Effect.fnUntraced(function* (text, seconds) {
    const fs = yield* FileSystem.FileSystem;
    const path = `${yield* fs.makeTempDirectoryScoped()}/text.txt`;
    if (text !== undefined)
        yield* fs.writeFileString(path, text);
    return yield* Effect.flatMap(SpeechEngine.SpeechEngine, (engine) => engine.transcribe({ file: "unused.wav", seconds }, {})).pipe(Effect.provide(FixtureEngine.layer(path)));
});
describe("FixtureEngine", () => {
    it.layer(NodeServices.layer)((it) => {
        it.effect("returns the words that fit into the audio", () => Effect.gen(function* () {
            const { words } = yield* transcribe("one two three four", 1.5);
            assert.deepStrictEqual(words, [
                { text: "one", start: 0, end: 0.5 },
                { text: "two", start: 0.5, end: 1 },
                { text: "three", start: 1, end: 1.5 },
            ]);
        }));
        it.effect("a missing text file is a configuration error", () => Effect.gen(function* () {
            const error = yield* Effect.flip(transcribe(undefined, 1));
            assert.strictEqual(error._tag, "ConfigurationError");
        }));
    });
});
