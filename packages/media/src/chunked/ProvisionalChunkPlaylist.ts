/**
 * Makes a film playable when its beginning and that of its sound are there. Several machines write these playlists, and one of
 * them may be late: so they have names of their own, which the finished ones do not rely on. In the end they are the
 * finished ones too.
 */
import { audioCodec } from "../encode/codecs/Codecs.ts"
import { segmentSeconds } from "../encode/EncodingPlan.ts"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Effect } from "effect"
import * as PlayableEvent from "../pipeline/PlayableEvent.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as MasterPlaylist from "../packaging/MasterPlaylist.ts"
import * as MediaPlaylist from "../packaging/MediaPlaylist.ts"
import { initName } from "../packaging/SegmentUploader.ts"
import { playlistType } from "../packaging/StreamPublisher.ts"
import * as StreamInventory from "../packaging/StreamInventory.ts"
import { assemble } from "./AssembledStream.ts"
import * as ChunkedEncodes from "./ChunkedEncodes.ts"
import { uploadEvent, type ChunkContext } from "./ChunkContext.ts"
import { checkpointName } from "./AudioCheckpoint.ts"

export const playlistName = "playable.m3u8"

interface Request {
  readonly version: string
  /** The part, or the step of the sound, that has come. */
  readonly chunk: string
  /** Absent: that it can be played was told. */
  readonly publishPlayable: PlayableEvent.PublishPlayable | undefined
}

const put = Effect.fnUntraced(function* (bucket: string, key: string, text: string, seconds: number) {
  const storage = yield* ObjectStorage
  yield* storage.put<never, never>({ bucket, key }, new TextEncoder().encode(text), {
    contentType: playlistType,
    cacheControl: `public, max-age=${seconds}`,
  })
})

/** Players find the playlists of this name instead of the finished ones. */
const withProvisionalNames = (master: string): string =>
  master.replaceAll(`/${FfmpegCommand.playlistName}`, `/${playlistName}`)

/** Never fails: a film can be watched at its end at the latest. */
export const update = (
  { encodes, options, record }: ChunkContext,
  { publishPlayable, chunk, version }: Request,
  completed: ReadonlyArray<string>,
) =>
  Effect.gen(function* () {
    const job = yield* encodes.find(version)
    if (job === undefined || job.aborted === true) return
    const firstAudio = [ChunkedEncodes.audioChunk, checkpointName(0)]
    const hasAudio = job.plan.info.audioTracks.length === 0 || firstAudio.some((one) => completed.includes(one))
    if (!completed.includes("0") || !hasAudio) return
    const plan = job.plan
    const { bucket } = options
    const { prefix } = job.attempt
    const inventory = StreamInventory.fromUploaded(
      plan,
      (yield* assemble(encodes, version, job, completed)).uploadedTracks,
    )
    if (inventory.renditions.length < plan.renditions.length) return
    for (const { folder, segments } of inventory.tracks) {
      const text = MediaPlaylist.renderEvent(initName, segments, segmentSeconds)
      yield* put(bucket, `${prefix}${folder}/${playlistName}`, text, 1)
    }
    // These are what was waited for; whoever brought one of them tells.
    if (chunk !== "0" && !firstAudio.includes(chunk)) return
    const declaredBandwidth = (name: string): number =>
      (plan.renditions.find((rendition) => rendition.name === name)?.kilobits ?? audioCodec.kilobits) * 1000
    const text = MasterPlaylist.render(inventory.renditions, inventory.audioTracks, {
      audioOnly: options.audioOnly ?? true,
      declaredBandwidth,
    })
    yield* put(bucket, `${prefix}${playlistName}`, withProvisionalNames(text), 1)
    if (publishPlayable === undefined) return
    const playback = yield* PlaybackUrls
    const urlFor = (key: string) => playback.urlFor({ bucket, key })
    yield* PlayableEvent.publishIfCurrent(record, urlFor)(
      uploadEvent(job),
      job.attempt,
      `${prefix}${playlistName}`,
      publishPlayable,
    )
  }).pipe(Effect.catch((error) => Effect.logDebug("provisional playlists were not put", { error })))

/** Whoever began with the provisional playlists finds the end of the film in them too. */
export const finalize = (
  bucket: string,
  prefix: string,
  inventory: StreamInventory.StreamInventory,
  audioOnly: boolean,
) =>
  Effect.gen(function* () {
    for (const { folder, segments } of inventory.tracks) {
      yield* put(bucket, `${prefix}${folder}/${playlistName}`, MediaPlaylist.render(initName, segments), 60)
    }
    const text = MasterPlaylist.render(inventory.renditions, inventory.audioTracks, { audioOnly })
    yield* put(bucket, `${prefix}${playlistName}`, withProvisionalNames(text), 60)
  })
