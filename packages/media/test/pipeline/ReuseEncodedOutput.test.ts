/** If an attempt fails after its encode, the next one reuses the encode and publishes a complete stream. */
import "../support/NpmProgramsFirst.ts"
import { writeFileSync } from "node:fs"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import type { TranscodeOptions } from "@armoricore/media/pipeline/TranscodeOptions"
import { TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Option, Path, Stream } from "effect"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import {
  failedEvent,
  fetchAll,
  isFfmpegMissing,
  options,
  pipeline,
  prefixOf,
  programs,
  storeUpload,
  uploaded,
} from "../support/Pipeline.ts"
import { check } from "../support/StreamChecker.ts"

const clip = Effect.fnUntraced(function* (name: string, seconds = 5) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
  yield* ffmpeg([
    ...testVideo({ size: "128x96", seconds }),
    ...tone(seconds),
    ...h264,
    "-c:a",
    "aac",
    "-shortest",
    file,
  ])
  return yield* storeUpload(`uploads/${name}.mp4`, file)
})

/** Injected faults, which a test can change. */
interface Faults {
  /** Whether an upload to this key fails. */
  put: (key: string) => boolean
}

const down = new TransientError({ dependency: "storage", code: "unavailable", message: "down" })

const trial = Effect.fnUntraced(function* (changes: Partial<TranscodeOptions> = {}) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped()
  const log = path.join(folder, "log")
  const broken = path.join(folder, "broken")
  const script = path.join(folder, "ffmpeg")
  const faults: Faults = { put: () => false }
  const lines = (real: string) =>
    `#!/bin/sh\nprintf '%s ' "$@" >> ${log}; echo >> ${log}\n` +
    `if [ -s ${broken} ] && printf '%s ' "$@" | grep -qFf ${broken}; then exit 1; fi\nexec ${real} "$@"\n`
  const storage = Layer.effect(
    ObjectStorage,
    Effect.map(ObjectStorage, (own) =>
      ObjectStorage.of({
        ...own,
        put: (ref, body, how) => (faults.put(ref.key) ? Effect.fail(down) : own.put(ref, body, how)),
      }),
    ),
  )
  const tools = Layer.effect(
    FfmpegPrograms,
    Effect.map(FfmpegPrograms, (programs) => {
      writeFileSync(script, lines(programs.ffmpeg), { mode: 0o755 })
      return { ...programs, ffmpeg: script }
    }),
  )
  const ports = pipeline({ publishTimeout: Duration.millis(50), ...changes }, storage, tools)
  /** The number of encoders that were started since the last call. */
  const encoders = Effect.gen(function* () {
    // ffmpeg was not started.
    if (!(yield* fs.exists(log))) return 0
    const text = yield* fs.readFileString(log)
    yield* fs.remove(log)
    return text.split("\n").filter((line) => line.includes("libx264")).length
  })
  const breaks = (word: string) => fs.writeFileString(broken, word)
  return { ports, faults, encoders, breaks }
})

/** Checks the published stream and its images. */
const checkPublished = Effect.fnUntraced(function* (ready: { readonly playback_urls: { readonly hls: string } }) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped()
  yield* fetchAll(prefixOf(ready), folder)
  assert.deepStrictEqual((yield* check(folder)).faults, [])
  const names = yield* fs.readDirectory(folder, { recursive: true })
  for (const name of ["poster.jpg", "storyboard/000.jpg", "storyboard.vtt", "thumbnails/01.jpg"]) {
    assert.include(names, name)
  }
  assert.notInclude(names, "encoded.json")
  return names
})

const attempt = Effect.fnUntraced(function* (event: ReturnType<typeof uploaded>, fencingToken: number) {
  const { processUpload } = yield* UploadPipeline
  const outcome = yield* processUpload(event, { fencingToken, priorAttempts: fencingToken - 1 })
  return outcome._tag === "Ready" ? outcome.ready : yield* Effect.die(new Error(outcome._tag))
})

const steps: Readonly<Record<string, (key: string) => boolean>> = {
  "the playlists": (key) => key.endsWith("stream.m3u8"),
  "the storyboard": (key) => key.includes("/storyboard/"),
  "the master playlist": (key) => key.endsWith("master.m3u8"),
}

describe.skipIf(isFfmpegMissing)("A retry", () => {
  layer(programs, { excludeTestServices: true })((it) => {
    for (const [step, fails] of Object.entries(steps)) {
      it.effect(`does not encode again when ${step} could not be stored`, () =>
        Effect.gen(function* () {
          const { encoders, faults, ports } = yield* trial()
          yield* Effect.gen(function* () {
            const event = uploaded("stored", yield* clip("stored"))
            faults.put = fails
            assert.strictEqual((yield* Effect.flip(attempt(event, 1)))._tag, "TransientError")
            assert.strictEqual(yield* encoders, 1)
            faults.put = () => false
            const ready = yield* attempt(event, 2)
            yield* checkPublished(ready)
            // Missing images are made without an encoder.
            assert.strictEqual(yield* encoders, 0)
          }).pipe(Effect.provide(ports))
        }),
      )
    }

    it.effect("makes only the MP4 files again", () =>
      Effect.gen(function* () {
        const { breaks, encoders, ports } = yield* trial({ mp4: "all", passthrough: false })
        yield* Effect.gen(function* () {
          const event = uploaded("mp4", yield* clip("mp4"))
          yield* breaks("+faststart")
          const error = yield* Effect.flip(attempt(event, 1))
          assert.strictEqual(error._tag === "TransientError" ? error.dependency : error._tag, "ffmpeg")
          assert.strictEqual(yield* encoders, 1)
          yield* breaks("")
          const names = yield* checkPublished(yield* attempt(event, 2))
          assert.include(names, "mp4/96p.mp4")
          assert.strictEqual(yield* encoders, 0)
        }).pipe(Effect.provide(ports))
      }),
    )

    it.effect("encodes the copied tracks if the MP4 files failed", () =>
      Effect.gen(function* () {
        const { breaks, encoders, ports } = yield* trial({ mp4: "all" })
        yield* Effect.gen(function* () {
          const event = uploaded("copied", yield* clip("copied"))
          yield* breaks("+faststart")
          yield* Effect.flip(attempt(event, 1))
          assert.strictEqual(yield* encoders, 1)
          yield* breaks("")
          yield* checkPublished(yield* attempt(event, 2))
          assert.strictEqual(yield* encoders, 1)
        }).pipe(Effect.provide(ports))
      }),
    )

    it.effect("requested after a final failure reuses the encode of the last attempt", () =>
      Effect.gen(function* () {
        const { breaks, encoders, ports } = yield* trial({ mp4: "all", passthrough: false })
        yield* Effect.gen(function* () {
          const event = uploaded("later", yield* clip("later"))
          yield* breaks("+faststart")
          yield* Effect.flip(attempt(event, 1))
          yield* Effect.flip(attempt(event, 2))
          const { recordFailure } = yield* UploadPipeline
          yield* recordFailure(failedEvent(event, "failed"))
          const states = yield* Collection.make(mediaStates)
          const retained = Option.getOrThrow(yield* states.get("later")).value.attempts
          assert.lengthOf(retained, 1)
          assert.strictEqual(yield* encoders, 1)
          yield* breaks("")
          yield* checkPublished(yield* attempt(uploaded("later", event.payload.file_path), 1))
          assert.strictEqual(yield* encoders, 0)
          const storage = yield* ObjectStorage
          const left = yield* Stream.runCollect(storage.list("media", retained[0]?.prefix ?? ""))
          assert.deepStrictEqual(left, [])
        }).pipe(Effect.provide(ports))
      }),
    )

    const failed = Effect.fnUntraced(function* (name: string, faults: Faults) {
      const event = uploaded(name, yield* clip(name))
      faults.put = (key) => key.endsWith("stream.m3u8")
      yield* Effect.flip(attempt(event, 1))
      faults.put = () => false
      return event
    })

    it.effect("encodes again if the upload was replaced", () =>
      Effect.gen(function* () {
        const { encoders, faults, ports } = yield* trial()
        yield* Effect.gen(function* () {
          const event = yield* failed("replaced", faults)
          yield* clip("replaced", 6)
          assert.strictEqual(yield* encoders, 1)
          assert.isAbove((yield* attempt(event, 2)).duration, 5.9)
          assert.strictEqual(yield* encoders, 1)
        }).pipe(Effect.provide(ports))
      }),
    )

    it.effect("encodes again if the settings have changed", () =>
      Effect.gen(function* () {
        const { encoders, faults, ports } = yield* trial()
        yield* Effect.gen(function* () {
          const event = yield* failed("other", faults)
          const ladder = [{ shortSide: 64, kilobits: 200 }] as const
          const again = attempt(event, 2).pipe(Effect.provide(UploadPipeline.layer({ ...options, ladder })))
          assert.deepStrictEqual((yield* again).resolutions, ["64p"])
        }).pipe(Effect.provide(ports))
        assert.strictEqual(yield* encoders, 1)
      }),
    )

    it.effect("encodes again if a segment of the earlier attempt is missing", () =>
      Effect.gen(function* () {
        const { encoders, faults, ports } = yield* trial()
        yield* Effect.gen(function* () {
          const event = yield* failed("gone", faults)
          const storage = yield* ObjectStorage
          const segments = yield* Stream.runCollect(storage.list("media", "media/gone/"))
          const last = segments.filter(({ key }) => key.endsWith(".m4s")).at(-1)
          if (last !== undefined) yield* storage.remove(last)
          assert.strictEqual(yield* encoders, 1)
          yield* checkPublished(yield* attempt(event, 2))
          assert.strictEqual(yield* encoders, 1)
        }).pipe(Effect.provide(ports))
      }),
    )
  })
})
