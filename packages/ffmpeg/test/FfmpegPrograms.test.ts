import { FfmpegPrograms, installHint, report } from "@armoricore/ffmpeg/FfmpegPrograms"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import * as Programs from "@armoricore/testing/Programs"

const missing = [Programs.requireProgram("ffmpeg"), Programs.requireProgram("ffprobe")].some((need) => need.missing)

const build = (options: Parameters<typeof FfmpegPrograms.layer>[0]) =>
  FfmpegPrograms.pipe(Effect.provide(FfmpegPrograms.layer(options)), Effect.provide(NodeServices.layer))

describe("FfmpegPrograms", () => {
  it.live.skipIf(missing)("finds programs that pass the trial", () =>
    Effect.gen(function* () {
      const found = yield* build({})
      assert.match(found.version, /^ffmpeg version/)
      const lines = yield* report().pipe(Effect.provide(NodeServices.layer))
      assert.deepStrictEqual(
        lines.slice(0, 2).map(({ name, ok }) => [name, ok]),
        [
          ["ffmpeg", true],
          ["ffprobe", true],
        ],
      )
    }),
  )

  it.live("names the variable of a program that fails the trial", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const fake = path.join(yield* fs.makeTempDirectoryScoped(), "ffmpeg")
      yield* fs.writeFileString(fake, "#!/bin/sh\nexit 1\n")
      yield* fs.chmod(fake, 0o755)
      const error = yield* Effect.flip(build({ ffmpegPath: fake }))
      assert.strictEqual(error.setting, "FFMPEG_PATH")
      assert.include(error.message, fake)
      const [line] = yield* report({ ffmpegPath: fake })
      assert.strictEqual(line?.ok, false)
    }).pipe(Effect.provide(NodeServices.layer)),
  )

  it.live("a missing FFMPEG_PATH is an error even if another ffmpeg is on PATH", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(build({ ffmpegPath: "/nowhere/ffmpeg" }))
      assert.strictEqual(error._tag, "ConfigurationError")
    }),
  )

  it("the install hint is one sentence", () => {
    assert.strictEqual(installHint().split(". ").length, 1)
    assert.include(installHint(), "H.264 and AAC")
    assert.include(installHint(), "FFMPEG_PATH")
  })
})
