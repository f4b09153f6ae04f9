/**
 * Makes a stream playable during its encode. Once every rendition and audio track has a segment, provisional playlists are
 * stored and `media.playable` is published. The playlists grow with the segments. The final playlists replace them under
 * the same names, one object at a time, the master playlist last.
 *
 * A failure here never fails the job: the next update tries again. Bandwidths are those declared to the encoder; the final
 * master playlist has the measured ones.
 */
import { audioCodec } from "../encode/codecs/Codecs.ts"
import { audioFolder, type EncodingPlan, segmentSeconds, trackFolders } from "../encode/EncodingPlan.ts"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import type { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Clock, Effect, Fiber, type Scope } from "effect"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaPlaylist from "./MediaPlaylist.ts"
import { initName, type UploadedTrack } from "./SegmentUploader.ts"
import * as KeyTags from "../protection/KeyTags.ts"
import { masterName, playlistType } from "./StreamPublisher.ts"
import * as StreamInventory from "./StreamInventory.ts"

export interface Target {
  readonly bucket: string
  /** Ends with a slash. */
  readonly prefix: string
  /** Adds a variant with audio only. */
  readonly audioOnly: boolean
  /**
   * Called once, in its own fiber, when the master playlist is stored. It returns whether it published the event, and it is
   * interrupted when the stream is complete. If it is absent, no provisional playlist is stored.
   */
  readonly onPlayable: ((master: string) => Effect.Effect<boolean>) | undefined
}

export interface ProvisionalPlaylist {
  /** Call it after uploads with all tracks stored so far, from one fiber at a time. */
  readonly update: (uploaded: ReadonlyArray<UploadedTrack>) => Effect.Effect<void>
  /** Ends `onPlayable` and returns whether it published the event. Do not call `update` afterwards. */
  readonly close: Effect.Effect<boolean>
}

/** The bit rate of a rendition or audio track as declared to the encoder, before the real rate is measured. */
export const declaredBandwidth =
  (plan: EncodingPlan) =>
  (name: string): number =>
    (plan.renditions.find((rendition) => rendition.name === name)?.kilobits ??
      audioCodec.kilobits(
        plan.info.audioTracks.some((track, index) => audioFolder(index) === name && track.isSurround === true) ? 6 : 2,
      )) * 1000

/** Players reload the playlists. */
const putOptions = { contentType: playlistType, cacheControl: "public, max-age=1" }
/** Milliseconds. A long video has thousands of segments, and each update writes the whole playlist. */
const updateInterval = 2000
/** A segment may end slightly after this, at the next key frame. */
const maxSegmentSeconds = segmentSeconds

export const make = Effect.fnUntraced(function* (
  plan: EncodingPlan,
  target: Target,
): Effect.fn.Return<ProvisionalPlaylist, never, ObjectStorage | PlaybackUrls | Scope.Scope> {
  const { onPlayable } = target
  if (onPlayable === undefined) return { update: () => Effect.void, close: Effect.succeed(false) }
  const storage = yield* ObjectStorage
  const keys = yield* KeyTags.make(plan.protection, target.bucket, target.prefix)
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
      const text = MediaPlaylist.renderEvent(initName, segments, maxSegmentSeconds, keys)
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
        Effect.logDebug("provisional playlists were not stored", { error }),
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
