/** From what is encoded to a stream: the last segments, pictures, files for download, playlists, the master last. */
import { TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect } from "effect"
import * as Encoded from "./Encoded.ts"
import * as LocalParts from "./LocalParts.ts"
import * as Mp4Files from "./Mp4Files.ts"
import * as Pictures from "./Pictures.ts"
import * as SegmentUploader from "./SegmentUploader.ts"
import * as StreamPublisher from "./StreamPublisher.ts"
import type { Taken } from "./TakeOver.ts"
import { defaultFreeDisk, mp4Of, type Options } from "./TranscodeOptions.ts"
import { limitOf, type Run } from "./WholeRun.ts"

/** `prefix` ends with a slash. A storage that is away is waited for; what fails after all leaves a record for the next try. */
export const finish = Effect.fn("Finish.finish")(function* (
  options: Options,
  run: Run | Taken,
  prefix: string,
  timings: Readonly<Record<string, number>>,
) {
  const { bucket } = options
  const { output, plan } = run
  const target = { bucket, prefix, concurrency: options.uploads ?? 4 }
  const patient = SegmentUploader.whileStorageIsAway(options.publishPatience ?? Duration.minutes(5))

  const stored = run._tag === "Taken" ? run.encoded : yield* store(options, run, target, timings)
  const { objects, pictures, uploaded } = stored
  const renditions = mp4Of(options, plan)
  const freeDisk = options.freeDisk ?? defaultFreeDisk
  const finishing = Effect.gen(function* () {
    if (run._tag === "Taken" && renditions.length > 0) {
      yield* patient(LocalParts.fetch({ bucket, prefix, to: output, uploaded, renditions, freeDisk }))
    }
    const limit = limitOf(options, plan.info.duration)
    const mp4 =
      renditions.length === 0 ? {} : yield* Mp4Files.make({ from: output, uploaded, renditions, limit, freeDisk })
    const keys = new Map([...objects].map(([name, bytes]) => [`${prefix}${name}`, bytes]))
    return yield* patient(
      StreamPublisher.publish(
        plan,
        { uploaded, objects: keys, pictures },
        { ...target, audioOnly: options.audioOnly ?? true, mp4 },
      ),
    )
  })
  const from = run._tag === "Taken" ? run.from : prefix
  return yield* finishing.pipe(
    Effect.tapError((error) =>
      // The next try encodes what was copied from the source here.
      plan.copied !== undefined && error instanceof TransientError && error.dependency === "ffmpeg"
        ? Encoded.forget(options, from)
        : Effect.void,
    ),
  )
})

/** Stores the rest of what ffmpeg made, and writes down that all of it is there. */
const store = Effect.fnUntraced(function* (
  options: Options,
  { output, plan, source, uploader }: Run,
  target: Omit<Pictures.Target, "from">,
  timings: Readonly<Record<string, number>>,
) {
  const { prefix } = target
  const patient = SegmentUploader.whileStorageIsAway(options.publishPatience ?? Duration.minutes(5))
  yield* patient(uploader.sync)
  const uploaded = uploader.uploaded()
  yield* StreamPublisher.assemble(plan, uploaded)
  const objects = new Map([...uploader.objects()].map(([key, bytes]) => [key.slice(prefix.length), bytes]))
  const encoded = { plan, uploaded, objects, timings: { ...timings } }
  const write = (pictures: Pictures.Pictures | undefined) =>
    Encoded.write(options, prefix, source, { ...encoded, pictures })
  const pictures = yield* patient(Pictures.put({ ...target, from: output })).pipe(
    Effect.tapError(() => Effect.ignore(write(undefined))),
  )
  yield* patient(write(pictures))
  return { ...encoded, pictures }
})
