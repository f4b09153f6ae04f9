import { FfmpegPrograms, h264Encoder, installHint, report } from "@armoricore/ffmpeg/FfmpegPrograms"
import * as NodeServices from "@effect/platform-node/NodeServices"
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
        lines.slice(0, 3).map(({ name, ok }) => [name, ok]),
        [
          ["ffmpeg", true],
          ["memory", true],
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

  it.live.skipIf(missing)("refuses an ffmpeg whose memory grows with the length of a video", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const { ffmpeg } = yield* build({})
      const growing = path.join(yield* fs.makeTempDirectoryScoped(), "ffmpeg")
      // Prints a peak of 1000 kB per second of the video.
      const script = 'case "$*" in *d=20*) echo maxrss=20000kB >&2 ;; *benchmark*) echo maxrss=1000kB >&2 ;;'
      yield* fs.writeFileString(growing, `#!/bin/sh\n${script} *) exec ${ffmpeg} "$@" ;; esac\n`)
      yield* fs.chmod(growing, 0o755)
      const error = yield* Effect.flip(build({ ffmpegPath: growing }))
      assert.include(error.message, "collects decoded frames in memory")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.live.skipIf(missing)("names an encoder that is missing, or that places no key frames where segments begin", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const { ffmpeg } = yield* build({})
      const none = { name: "libnone", kind: "video", codec: "NONE" } as const
      const missingEncoder = yield* Effect.flip(build({ ffmpegPath: ffmpeg, encoders: [h264Encoder, none] }))
      assert.strictEqual(missingEncoder.setting, "FFMPEG_PATH")
      assert.include(missingEncoder.message, "libx264 and libnone")
      const ignoring = path.join(yield* fs.makeTempDirectoryScoped(), "ffmpeg")
      // Like libsvtav1 in ffmpeg 5, of which the trial gets a single fragment.
      const script = 'case "$*" in *force_key_frames*) echo moof ;;'
      yield* fs.writeFileString(ignoring, `#!/bin/sh\n${script} *) exec ${ffmpeg} "$@" ;; esac\n`)
      yield* fs.chmod(ignoring, 0o755)
      const encoder = { ...h264Encoder, mayIgnoreKeyFrames: true } as const
      const error = yield* Effect.flip(build({ ffmpegPath: ignoring, encoders: [encoder] }))
      assert.include(error.message, "libx264 of this ffmpeg places no key frames where they are needed")
      assert.include(error.message, "MEDIA_CODECS")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )

  it.live.skipIf(missing)("tries a program once, and again when its file changes", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fs.makeTempDirectoryScoped()
      const { ffmpeg } = yield* build({})
      const counted = path.join(folder, "ffmpeg")
      const calls = path.join(folder, "calls")
      const script = `#!/bin/sh\necho >> ${calls}\nexec ${ffmpeg} "$@"\n`
      yield* fs.writeFileString(counted, script)
      yield* fs.chmod(counted, 0o755)
      const count = Effect.map(fs.readFileString(calls), (text) => text.length)
      const first = yield* build({ ffmpegPath: counted })
      const once = yield* count
      assert.deepStrictEqual(yield* build({ ffmpegPath: counted }), first)
      assert.strictEqual(yield* count, once)
      yield* fs.writeFileString(counted, `${script}# another version\n`)
      yield* build({ ffmpegPath: counted })
      assert.strictEqual(yield* count, once * 2)
      yield* report({ ffmpegPath: counted })
      assert.strictEqual(yield* count, once * 3)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
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
