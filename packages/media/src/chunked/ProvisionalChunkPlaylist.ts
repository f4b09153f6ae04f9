/**
 * Makes a chunked stream playable as soon as its first video chunk and its first audio are in storage. Several workers
 * write these playlists and a late one may overwrite a newer playlist, so they have a different name than the final
 * playlists. At the end they get the content of the final ones.
 */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Effect } from "effect"
import { type EncodingPlan, segmentSeconds } from "../encode/EncodingPlan.ts"
import * as FfmpegCommand from "../encode/FfmpegCommand.ts"
import * as MasterPlaylist from "../packaging/MasterPlaylist.ts"
import * as MediaPlaylist from "../packaging/MediaPlaylist.ts"
import { declaredBandwidth } from "../packaging/ProvisionalPlaylist.ts"
import { initName } from "../packaging/SegmentUploader.ts"
import * as StreamInventory from "../packaging/StreamInventory.ts"
import { playlistType } from "../packaging/StreamPublisher.ts"
import * as KeyTags from "../protection/KeyTags.ts"
import * as PlayableEvent from "../pipeline/PlayableEvent.ts"
import { checkpointName } from "./AudioCheckpoint.ts"
import type { ChunkContext } from "./ChunkContext.ts"
import * as ChunkedEncodes from "./ChunkedEncodes.ts"
import { assemble } from "./ChunkOutputs.ts"

export const playlistName = "playable.m3u8"

interface Update {
  readonly version: string
  /** The chunk or audio step that has just been completed. */
  readonly chunk: string
  /** Undefined: `media.playable` is published already. */
  readonly publishPlayable: PlayableEvent.PublishPlayable | undefined
}

const put = Effect.fnUntraced(function* (bucket: string, key: string, text: string, maxAgeSeconds: number) {
  const storage = yield* ObjectStorage
  yield* storage.put<never, never>({ bucket, key }, new TextEncoder().encode(text), {
    contentType: playlistType,
    cacheControl: `public, max-age=${maxAgeSeconds}`,
  })
})

/** Lets the master playlist refer to the provisional media playlists. */
const withProvisionalNames = (master: string): string =>
  master.replaceAll(`/${FfmpegCommand.playlistName}`, `/${playlistName}`)

/** Writes the playlists for the completed chunks. Never fails: the stream is playable at the end at the latest. */
export const update = (
  { encodes, options: { audioOnly, bucket }, record }: ChunkContext,
  { publishPlayable, chunk, version }: Update,
  completed: ReadonlyArray<string>,
) =>
  Effect.gen(function* () {
    const job = yield* encodes.find(version)
    if (job === undefined || job.aborted === true) return
    const firstAudio = [ChunkedEncodes.audioChunk, checkpointName(0)]
    const hasAudio = job.plan.info.audioTracks.length === 0 || firstAudio.some((name) => completed.includes(name))
    if (!completed.includes("0") || !hasAudio) return
    const { attempt, plan } = job
    const { prefix } = attempt
    const { uploadedTracks } = yield* assemble(encodes, version, job, completed)
    const inventory = StreamInventory.fromUploaded(plan, uploadedTracks)
    if (inventory.renditions.length < plan.renditions.length) return
    const keys = yield* KeyTags.make(plan.protection, bucket, prefix)
    for (const { folder, segments } of inventory.tracks) {
      const text = MediaPlaylist.renderEvent(initName, segments, segmentSeconds, keys)
      yield* put(bucket, `${prefix}${folder}/${playlistName}`, text, 1)
    }
    // The master playlist needs only these chunks, and the worker that completes one of them publishes the event.
    if (chunk !== "0" && !firstAudio.includes(chunk)) return
    const text = MasterPlaylist.render(inventory.renditions, inventory.audioTracks, {
      audioOnly,
      declaredBandwidth: declaredBandwidth(plan),
    })
    yield* put(bucket, `${prefix}${playlistName}`, withProvisionalNames(text), 1)
    if (publishPlayable === undefined) return
    const playback = yield* PlaybackUrls
    const publishIfCurrent = PlayableEvent.publishIfCurrent(record, (key) => playback.urlFor({ bucket, key }))
    yield* publishIfCurrent(ChunkedEncodes.uploadEvent(job), attempt, `${prefix}${playlistName}`, publishPlayable)
  }).pipe(
    Effect.catch((error) => Effect.logDebug("Provisional playlists could not be written", { version, chunk, error })),
  )

/** Ends the provisional playlists, so that players that have started with them find the end of the stream. */
export const finalize = Effect.fnUntraced(function* (
  bucket: string,
  prefix: string,
  inventory: StreamInventory.StreamInventory,
  { audioOnly, protection }: { readonly audioOnly: boolean; readonly protection: EncodingPlan["protection"] },
) {
  const keys = yield* KeyTags.make(protection, bucket, prefix)
  for (const { folder, segments } of inventory.tracks) {
    yield* put(bucket, `${prefix}${folder}/${playlistName}`, MediaPlaylist.render(initName, segments, keys), 60)
  }
  const text = MasterPlaylist.render(inventory.renditions, inventory.audioTracks, { audioOnly })
  yield* put(bucket, `${prefix}${playlistName}`, withProvisionalNames(text), 60)
})
