/**
 * Makes a stream playable while it is still being made: as soon as every rendition and sound track has its first segment,
 * provisional playlists are put, and that is announced; then they grow with the segments. The final ones take their
 * places under the same names, an object at a time, the master playlist last.
 *
 * Nothing here may cost the job: what cannot be put or told is tried at the next look, and left out at the end. Rates
 * are those that were declared to the encoder; the final master has the measured ones.
 */
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { Clock, Effect, Fiber, type Scope } from "effect"
import * as FfmpegCommand from "./FfmpegCommand.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaPlaylist from "./MediaPlaylist.ts"
import { initName, type Uploaded } from "./SegmentUploader.ts"
import { masterName, playlistType } from "./StreamPublisher.ts"
import * as StreamParts from "./StreamParts.ts"

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
  readonly announce: ((master: string) => Effect.Effect<boolean>) | undefined
}

export interface Playable {
  /** To be called whenever there may be more, with all that is in storage so far; by one fiber at a time. */
  readonly update: (uploaded: ReadonlyArray<Uploaded>) => Effect.Effect<void>
  /** Ends the announcing: whether it was told. From then on `update` must not be called. */
  readonly close: Effect.Effect<boolean>
}

/** They are read again and again. */
const growing = { contentType: playlistType, cacheControl: "public, max-age=1" }
/** A film has thousands of segments, and each change writes the whole playlist. */
const pause = 2000
/** Segments end at a key frame behind the grid. */
const longest = FfmpegCommand.segmentSeconds

export const make = Effect.fnUntraced(function* (
  plan: FfmpegCommand.Plan,
  target: Target,
): Effect.fn.Return<Playable, never, ObjectStorage | Scope.Scope> {
  const { announce } = target
  if (announce === undefined) return { update: () => Effect.void, close: Effect.succeed(false) }
  const storage = yield* ObjectStorage
  const scope = yield* Effect.scope
  const written = new Map<string, number>()
  let announcing: Fiber.Fiber<boolean> | undefined
  let next = 0

  const put = (name: string, text: string): Effect.Effect<string, StorageError> => {
    const key = `${target.prefix}${name}`
    const bytes = new TextEncoder().encode(text)
    return Effect.as(storage.put<never, never>({ bucket: target.bucket, key }, bytes, growing), key)
  }

  const wanted = FfmpegCommand.folders(plan)
  const declared = (name: string): number =>
    (plan.renditions.find((rendition) => rendition.name === name)?.kilobits ?? FfmpegCommand.audioKilobits) * 1000

  const look = Effect.fnUntraced(function* (uploaded: ReadonlyArray<Uploaded>) {
    const now = yield* Clock.currentTimeMillis
    const { parts, sounds, variants } = StreamParts.of(plan, uploaded)
    if (now < next || parts.length < wanted.length) return
    for (const { folder, segments } of parts) {
      if (written.get(folder) === segments.length) continue
      const text = MediaPlaylist.renderGrowing(initName, segments, longest)
      yield* put(`${folder}/${FfmpegCommand.playlistName}`, text)
      written.set(folder, segments.length)
    }
    if (announcing === undefined) {
      const text = MasterPlaylist.render(variants, sounds, { audioOnly: target.audioOnly, declared })
      const master = yield* put(masterName, text)
      announcing = yield* Effect.forkIn(announce(master), scope)
    }
    next = now + pause
  })

  return {
    update: (uploaded) =>
      Effect.catch(look(uploaded), (error) => Effect.logDebug("provisional playlists were not put", { error })),
    close: Effect.suspend(() => {
      const fiber = announcing
      if (fiber === undefined) return Effect.succeed(false)
      const done = fiber.pollUnsafe()
      if (done !== undefined) return Effect.succeed(done._tag === "Success" && done.value)
      return Effect.as(Fiber.interrupt(fiber), false)
    }),
  }
})
