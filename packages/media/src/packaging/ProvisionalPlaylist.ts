/**
 * Makes a stream playable while it is still being made: as soon as every rendition and sound track has its first segment,
 * provisional playlists are put, and that is announced; then they grow with the segments. The final ones take their
 * places under the same names, an object at a time, the master playlist last.
 *
 * Nothing here may cost the job: what cannot be put or told is tried at the next look, and left out at the end. Rates
 * are those that were declared to the encoder; the final master has the measured ones.
 */
import { audioCodec } from "../encode/codecs/Codecs.ts"
import { type EncodingPlan, segmentSeconds, trackFolders } from "../encode/EncodingPlan.ts"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { Clock, Effect, Fiber, type Scope } from "effect"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaPlaylist from "./MediaPlaylist.ts"
import { initName, type UploadedTrack } from "./SegmentUploader.ts"
import { masterName, playlistType } from "./StreamPublisher.ts"
import * as StreamInventory from "./StreamInventory.ts"

export interface Target {
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  /** Offers the sound by itself too. */
  readonly audioOnly: boolean
  /**
   * Called once, in a fiber of its own, when the master playlist is there: ends with whether it was told. It is given up
   * when the stream is complete. Without it nothing is put.
   */
  readonly onPlayable: ((master: string) => Effect.Effect<boolean>) | undefined
}

export interface ProvisionalPlaylist {
  /** To be called whenever there may be more, with all that is in storage so far; by one fiber at a time. */
  readonly update: (uploaded: ReadonlyArray<UploadedTrack>) => Effect.Effect<void>
  /** Ends the announcing: whether it was told. From then on `update` must not be called. */
  readonly close: Effect.Effect<boolean>
}

/** The bit rate of a rendition or audio track as declared to the encoder, before the real rate is measured. */
export const declaredBandwidth =
  (plan: EncodingPlan) =>
  (name: string): number =>
    (plan.renditions.find((rendition) => rendition.name === name)?.kilobits ?? audioCodec.kilobits) * 1000

/** They are read again and again. */
const putOptions = { contentType: playlistType, cacheControl: "public, max-age=1" }
/** A film has thousands of segments, and each change writes the whole playlist. */
const updateInterval = 2000
/** Segments end at a key frame behind the grid. */
const maxSegmentSeconds = segmentSeconds

export const make = Effect.fnUntraced(function* (
  plan: EncodingPlan,
  target: Target,
): Effect.fn.Return<ProvisionalPlaylist, never, ObjectStorage | Scope.Scope> {
  const { onPlayable } = target
  if (onPlayable === undefined) return { update: () => Effect.void, close: Effect.succeed(false) }
  const storage = yield* ObjectStorage
  const scope = yield* Effect.scope
  const writtenSegments = new Map<string, number>()
  let publishing: Fiber.Fiber<boolean> | undefined
  let nextUpdateAt = 0

  const put = (name: string, text: string): Effect.Effect<string, StorageError> => {
    const key = `${target.prefix}${name}`
    const bytes = new TextEncoder().encode(text)
    return Effect.as(storage.put<never, never>({ bucket: target.bucket, key }, bytes, putOptions), key)
  }

  const expectedFolders = trackFolders(plan)

  const writePlaylists = Effect.fnUntraced(function* (uploaded: ReadonlyArray<UploadedTrack>) {
    const now = yield* Clock.currentTimeMillis
    const { tracks, audioTracks, renditions } = StreamInventory.fromUploaded(plan, uploaded)
    if (now < nextUpdateAt || tracks.length < expectedFolders.length) return
    for (const { folder, segments } of tracks) {
      if (writtenSegments.get(folder) === segments.length) continue
      const text = MediaPlaylist.renderEvent(initName, segments, maxSegmentSeconds)
      yield* put(`${folder}/${FfmpegCommand.playlistName}`, text)
      writtenSegments.set(folder, segments.length)
    }
    if (publishing === undefined) {
      const text = MasterPlaylist.render(renditions, audioTracks, {
        audioOnly: target.audioOnly,
        declaredBandwidth: declaredBandwidth(plan),
      })
      const master = yield* put(masterName, text)
      publishing = yield* Effect.forkIn(onPlayable(master), scope)
    }
    nextUpdateAt = now + updateInterval
  })

  return {
    update: (uploaded) =>
      Effect.catch(writePlaylists(uploaded), (error) =>
        Effect.logDebug("provisional playlists were not put", { error }),
      ),
    close: Effect.suspend(() => {
      const fiber = publishing
      if (fiber === undefined) return Effect.succeed(false)
      const done = fiber.pollUnsafe()
      if (done !== undefined) return Effect.succeed(done._tag === "Success" && done.value)
      return Effect.as(Fiber.interrupt(fiber), false)
    }),
  }
})
