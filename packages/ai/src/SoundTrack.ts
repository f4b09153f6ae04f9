/**
 * The sound of a recording in object storage, as raw samples in a local file: download, find the sound track, one
 * ffmpeg. The source is a stranger's file and gets the same guards as an upload.
 *
 * Times are those of the stream that players see: gaps and a late start become silence, as in the transcoder.
 */
import { TransientError } from "@armoricore/domain/Errors"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { inputGuards } from "@armoricore/ffmpeg/InputGuards"
import { diskTrouble } from "@armoricore/ffmpeg/WorkFolder"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Duration, Effect, FileSystem, Path, Schema, Stream } from "effect"
import { failure } from "./Failures.ts"
import { sampleRate } from "./Pcm.ts"

export interface Request {
  /** `s3://bucket/key` */
  readonly filePath: string
  /** Buckets that recordings may lie in. */
  readonly buckets: ReadonlyArray<string>
  /** An empty folder to work in. */
  readonly folder: string
  /** The most that is fetched. */
  readonly bytes: number
  /** The longest recording. */
  readonly seconds: number
  /** Called with the part of the sound that is extracted, in seconds. */
  readonly onProgress: (seconds: number) => Effect.Effect<void>
}

/** The file with the samples (16 kHz, mono, s16le), or undefined where the recording has no sound track. */
export const extract = Effect.fn("SoundTrack.extract")(function* (request: Request) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const source = path.join(request.folder, "source")
  yield* download(request, source)
  const tracks = yield* soundTracks("source", request.folder)
  const track = tracks.find(({ disposition }) => disposition?.["default"] === 1) ?? tracks[0]
  if (track === undefined) return undefined
  const ended = yield* Ffmpeg.run({
    args: [
      ...words("-hide_banner -nostdin -loglevel error"),
      ...inputGuards,
      // One second more than may be, so that too much is noticed and not cut off.
      ...words(`-t ${request.seconds + 1} -i file:source -map 0:${track.index} -vn -sn -dn`),
      ...words(`-af aresample=async=1:first_pts=0 -ac 1 -ar ${sampleRate} -f s16le file:samples`),
    ],
    cwd: request.folder,
    onProgress: request.onProgress,
    stuckAfter: Duration.minutes(1),
    limit: Duration.seconds(300 + request.seconds),
  })
  const samples = path.join(request.folder, "samples")
  const bytes = yield* fs.stat(samples).pipe(
    Effect.map(({ size }) => Number(size)),
    Effect.orElseSucceed(() => 0),
  )
  // Damage behind the sound does no harm; sound that cannot be decoded at all does.
  if (ended.code !== 0 && bytes === 0) {
    return yield* /No space left|Cannot allocate|Permission denied/i.test(ended.stderr)
      ? new TransientError({ dependency: "ffmpeg", code: "failed", message: ended.stderr.trim().slice(-300) })
      : failure("corrupt_media")
  }
  if (bytes / 2 / sampleRate > request.seconds) return yield* failure("too_long", `at most ${request.seconds} s`)
  yield* diskTrouble(fs.remove(source))
  return samples
})

const words = (text: string): ReadonlyArray<string> => text.split(" ")

const download = Effect.fnUntraced(function* (request: Request, to: string) {
  const fs = yield* FileSystem.FileSystem
  const storage = yield* ObjectStorage
  // The event's Schema holds paths to this form.
  const [bucket = "", ...key] = request.filePath.slice("s3://".length).split("/")
  if (!request.buckets.includes(bucket)) return yield* failure("unknown_bucket", bucket)
  const found = yield* storage
    .get({ bucket, key: key.join("/") })
    .pipe(Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))))
  if (found.info.size === 0) return yield* failure("empty_file")
  if (found.info.size > request.bytes) return yield* failure("too_large", `at most ${request.bytes} bytes`)
  return yield* diskTrouble(Stream.run(found.body, fs.sink(to)))
})

const Report = Schema.fromJsonString(
  Schema.Struct({
    streams: Schema.Array(
      Schema.Struct({
        index: Schema.Int,
        codec_type: Schema.optionalKey(Schema.String),
        disposition: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
      }),
    ),
  }),
)
const decodeReport = Schema.decodeUnknownEffect(Report)

const soundTracks = Effect.fnUntraced(function* (file: string, cwd: string) {
  const answer = yield* Ffmpeg.inspect(
    ["-v", "error", ...inputGuards, ...words("-print_format json -show_streams -i"), `file:${file}`],
    cwd,
  )
  const report = yield* Effect.mapError(decodeReport(answer.stdout), () => failure("unsupported_format"))
  if (answer.code !== 0) return yield* failure("unsupported_format")
  return report.streams.filter(({ codec_type }) => codec_type === "audio")
})
