import { SpeechEngine } from "@armoricore/ai"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import * as FixtureEngine from "./FixtureEngine.ts"

const heard = Effect.fnUntraced(function* (text: string | undefined, seconds: number) {
  const fs = yield* FileSystem.FileSystem
  const path = `${yield* fs.makeTempDirectoryScoped()}/text.txt`
  if (text !== undefined) yield* fs.writeFileString(path, text)
  return yield* Effect.flatMap(SpeechEngine.SpeechEngine, ({ transcribe }) =>
    transcribe({ file: "unused.wav", seconds }, {}),
  ).pipe(Effect.provide(FixtureEngine.layer(path)))
})

describe("FixtureEngine", () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect("hears as many words as the sound has room for", () =>
      Effect.gen(function* () {
        const { words } = yield* heard("one two three four", 1.5)
        assert.deepStrictEqual(words, [
          { text: "one", start: 0, end: 0.5 },
          { text: "two", start: 0.5, end: 1 },
          { text: "three", start: 1, end: 1.5 },
        ])
      }),
    )

    it.effect("a text that is not there is an operator's to mend", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(heard(undefined, 1))
        assert.strictEqual(error._tag, "ConfigurationError")
      }),
    )
  })
})
