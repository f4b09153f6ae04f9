/** Protected streams: encrypted by the checker's measure, with rotated keys that are stored encrypted. */
import "../support/NpmProgramsFirst.ts"
import * as ContentKeys from "@armoricore/media/protection/ContentKeys"
import type { ProtectionScheme } from "@armoricore/media/protection/Protection"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as Collection from "@armoricore/state/Collection"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, FileSystem, Option, Path, Redacted, Stream } from "effect"
import { ffmpeg, h264, subtitles, testVideo, tone } from "../support/Clips.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"
import { check } from "../support/StreamChecker.ts"

const secret = Redacted.make("a secret of the test")

describe.skipIf(isFfmpegMissing)("Protection", () => {
  const schemes: ReadonlyArray<ProtectionScheme> = ["aes-128", "cbcs"]
  for (const scheme of schemes) {
    const options = {
      ladder: [{ shortSide: 72, kilobits: 300 }] as const,
      thumbnails: 1,
      storyboard: false,
      protection: { scheme, secret, period: Duration.seconds(4) },
    }
    layer(pipeline(options), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
      it.effect(`${scheme} encrypts every segment with the key of its period`, () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const folder = yield* fs.makeTempDirectoryScoped()
          const source = path.join(folder, "source.mkv")
          const srt = "1\n00:00:00,500 --> 00:00:02,000\nA line\n"
          yield* ffmpeg([
            ...testVideo({ size: "128x72", rate: "25", seconds: 6 }),
            ...tone(6),
            ...subtitles(srt),
            ..."-map 0 -map 1 -map 2 -c:s srt".split(" "),
            ...h264,
            "-c:a",
            "aac",
            source,
          ])
          const { processUpload } = yield* UploadPipeline
          const event = uploaded(`film-${scheme}`, yield* storeUpload("uploads/source.mkv", source))
          const outcome = yield* processUpload(event, { fencingToken: 1 })
          if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
          const stream = path.join(folder, "stream")
          yield* fetchAll(prefixOf(outcome.ready), stream)
          const keys = yield* Effect.flatMap(ContentKeys.makeReader(secret), (read) => read(event.payload.media_id))
          assert.strictEqual(keys.length, 2)
          const { faults } = yield* check(
            stream,
            keys.map(({ key }) => key),
          )
          assert.deepStrictEqual(faults, [])
          const playlist = yield* fs.readFileString(path.join(stream, "72p/stream.m3u8"))
          assert.strictEqual(playlist.split("#EXT-X-KEY").length - 1, 2)
          assert.strictEqual(outcome.ready.playback_urls.dash === undefined, scheme === "aes-128")
          const captions = yield* fs.readFileString(path.join(stream, "subtitles/0/captions.vtt"))
          assert.include(captions, "A line")
          // Captions count from the first frame, which encrypted segments hide.
          const map = yield* fs.readFileString(path.join(stream, "subtitles/0/00000.vtt"))
          const master = yield* fs.readFileString(path.join(stream, "master.m3u8"))
          const declared = /presentation-start",VALUE="([0-9.]+)"/.exec(master)?.[1]
          assert.strictEqual(declared !== undefined, scheme === "aes-128")
          const ticks = Number(/MPEGTS:(\d+)/.exec(map)?.[1])
          if (declared !== undefined) assert.closeTo(ticks, Number(declared) * 90_000, 1)
          // The state has no key in the clear.
          const stored = yield* Effect.flatMap(Collection.make(ContentKeys.mediaKeys), ({ get }) =>
            get(event.payload.media_id),
          )
          const text = JSON.stringify(Option.getOrUndefined(stored))
          for (const { key } of keys)
            for (const encoding of ["hex", "base64", "base64url"] as const)
              assert.notInclude(text, Buffer.from(key).toString(encoding))
          const other = yield* ContentKeys.makeReader(Redacted.make("another secret than before"))
          const refused = yield* Effect.flip(other(event.payload.media_id))
          assert.include(refused.message, "MEDIA_KEY_SECRET")
          const { remove } = yield* UploadPipeline
          const requestedAt = "2026-01-31T13:00:00Z"
          yield* remove({ mediaId: event.payload.media_id, requestId: event.event_id, requestedAt })
          const left = yield* Effect.flatMap(ContentKeys.makeReader(secret), (read) => read(event.payload.media_id))
          assert.deepStrictEqual(left, [])
        }),
      )
    })
  }

  const keyServer = { url: "http://127.0.0.1:1", secret }
  layer(pipeline({ protection: { scheme: "cbcs", secret, keyServer } }), {
    excludeTestServices: true,
    timeout: "60 seconds",
  })((it) => {
    it.effect("nothing of an upload is published while the key server does not answer", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const storage = yield* ObjectStorage
        const source = path.join(yield* fs.makeTempDirectoryScoped(), "source.mp4")
        yield* ffmpeg([...testVideo({ size: "128x72", rate: "10", seconds: 1 }), ...h264, source])
        const { processUpload } = yield* UploadPipeline
        const event = uploaded("film", yield* storeUpload("uploads/source.mp4", source))
        const error = yield* Effect.flip(processUpload(event, { fencingToken: 1 }))
        assert.deepInclude(error, { _tag: "TransientError", dependency: "key-server", code: "unavailable" })
        assert.deepStrictEqual(yield* Stream.runCollect(storage.list("media", "media/")), [])
        const download = { ...event, payload: { ...event.payload, media_id: "other", metadata: { download: true } } }
        const refused = yield* Effect.flip(processUpload(download, { fencingToken: 1 }))
        assert.deepInclude(refused, { _tag: "PermanentError", code: "invalid_metadata" })
        assert.include(refused.message, "metadata.download")
      }),
    )
  })
})
