/** From what is encoded to a stream: the last segments, pictures, files for download, playlists, the master last. */
import { TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect } from "effect"
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts"
import * as SegmentDownloader from "../packaging/SegmentDownloader.ts"
import * as Mp4Files from "../packaging/Mp4Files.ts"
import * as StillImages from "../packaging/StillImages.ts"
import * as SegmentUploader from "../packaging/SegmentUploader.ts"
import * as StreamPublisher from "../packaging/StreamPublisher.ts"
import type { ReusedOutput } from "./ReuseEncodedOutput.ts"
import { defaultMinFreeDisk, mp4Renditions, type TranscodeOptions } from "./TranscodeOptions.ts"
import { transcodeTimeout, type CompletedTranscode } from "./SingleNodeTranscode.ts"

/** `prefix` ends with a slash. A storage that is away is waited for; what fails after all leaves a record for the next try. */
export const finalize = Effect.fn("Finish.finish")(function* (
  options: TranscodeOptions,
  run: CompletedTranscode | ReusedOutput,
  prefix: string,
  timings: Readonly<Record<string, number>>,
) {
  const { bucket } = options
  const { output, plan } = run
  const target = { bucket, prefix, concurrency: options.uploadConcurrency ?? 4 }
  const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(options.publishTimeout ?? Duration.minutes(5))

  const stored = run._tag === "Taken" ? run.checkpoint : yield* storeRemaining(options, run, target, timings)
  const { objects, stillImages, uploadedTracks } = stored
  const renditions = mp4Renditions(options, plan)
  const minFreeDisk = options.minFreeDisk ?? defaultMinFreeDisk
  const packaging = Effect.gen(function* () {
    if (run._tag === "Taken" && renditions.length > 0) {
      yield* retryWhileUnavailable(
        SegmentDownloader.download({ bucket, prefix, to: output, uploadedTracks, renditions, minFreeDisk }),
      )
    }
    const timeout = transcodeTimeout(options, plan.info.duration)
    const mp4 =
      renditions.length === 0
        ? {}
        : yield* Mp4Files.make({ from: output, uploadedTracks, renditions, timeout, minFreeDisk })
    const keys = new Map([...objects].map(([name, bytes]) => [`${prefix}${name}`, bytes]))
    return yield* retryWhileUnavailable(
      StreamPublisher.publish(
        plan,
        { uploadedTracks, objects: keys, stillImages },
        { ...target, audioOnly: options.audioOnly ?? true, mp4 },
      ),
    )
  })
  const from = run._tag === "Taken" ? run.sourcePrefix : prefix
  return yield* packaging.pipe(
    Effect.tapError((error) =>
      // The next try encodes what was copied from the source here.
      plan.passthrough !== undefined && error instanceof TransientError && error.dependency === "ffmpeg"
        ? EncodeCheckpoint.discard(options, from)
        : Effect.void,
    ),
  )
})

/** Stores the rest of what ffmpeg made, and writes down that all of it is there. */
const storeRemaining = Effect.fnUntraced(function* (
  options: TranscodeOptions,
  { output, plan, source, uploader }: CompletedTranscode,
  target: Omit<StillImages.Target, "from">,
  timings: Readonly<Record<string, number>>,
) {
  const { prefix } = target
  const retryWhileUnavailable = SegmentUploader.retryWhileUnavailable(options.publishTimeout ?? Duration.minutes(5))
  yield* retryWhileUnavailable(uploader.sync)
  const uploadedTracks = uploader.uploadedTracks()
  yield* StreamPublisher.validateInventory(plan, uploadedTracks)
  const objects = new Map([...uploader.objects()].map(([key, bytes]) => [key.slice(prefix.length), bytes]))
  const checkpoint = { plan, uploadedTracks, objects, timings: { ...timings } }
  const writeCheckpoint = (stillImages: StillImages.StillImages | undefined) =>
    EncodeCheckpoint.write(options, prefix, source, { ...checkpoint, stillImages })
  const stillImages = yield* retryWhileUnavailable(StillImages.upload({ ...target, from: output })).pipe(
    Effect.tapError(() => Effect.ignore(writeCheckpoint(undefined))),
  )
  yield* retryWhileUnavailable(writeCheckpoint(stillImages))
  return { ...checkpoint, stillImages }
})
