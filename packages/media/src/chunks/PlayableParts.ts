/**
 * Makes a film playable when its beginning and that of its sound are there. Several machines write these playlists, and one of
 * them may be late: so they have names of their own, which the finished ones do not rely on. In the end they are the
 * finished ones too.
 */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { Effect } from "effect"
import * as Announcement from "../Announcement.ts"
import * as FfmpegCommand from "../FfmpegCommand.ts"
import * as MasterPlaylist from "../MasterPlaylist.ts"
import * as MediaPlaylist from "../MediaPlaylist.ts"
import { initName } from "../SegmentUploader.ts"
import { playlistType } from "../StreamPublisher.ts"
import * as StreamParts from "../StreamParts.ts"
import { assembled } from "./Assembled.ts"
import * as ChunkJobs from "./ChunkJobs.ts"
import * as PlanRecord from "../PlanRecord.ts"
import { eventOf, type Shared } from "./Shared.ts"
import { stepName } from "./SoundSteps.ts"

export const playlistName = "playable.m3u8"

interface Request {
  readonly version: string
  /** The part, or the step of the sound, that has come. */
  readonly part: string
  /** Absent: that it can be played was told. */
  readonly announce: Announcement.Announce | undefined
}

const put = Effect.fnUntraced(function* (bucket: string, key: string, text: string, seconds: number) {
  const storage = yield* ObjectStorage
  yield* storage.put<never, never>({ bucket, key }, new TextEncoder().encode(text), {
    contentType: playlistType,
    cacheControl: `public, max-age=${seconds}`,
  })
})

/** Players find the playlists of this name instead of the finished ones. */
const renamed = (master: string): string => master.replaceAll(`/${FfmpegCommand.playlistName}`, `/${playlistName}`)

/** Never fails: a film can be watched at its end at the latest. */
export const update = (
  { jobs, options, record }: Shared,
  { announce, part, version }: Request,
  done: ReadonlyArray<string>,
) =>
  Effect.gen(function* () {
    const job = yield* jobs.find(version)
    if (job === undefined || job.ended === true) return
    const begins = [ChunkJobs.soundPart, stepName(0)]
    const isHeard = job.plan.info.sounds.length === 0 || begins.some((one) => done.includes(one))
    if (!done.includes("0") || !isHeard) return
    const plan = PlanRecord.fromRecord(job.plan)
    const { bucket } = options
    const { prefix } = job.attempt
    const parts = StreamParts.of(plan, (yield* assembled(jobs, version, job, done)).uploaded)
    if (parts.variants.length < plan.renditions.length) return
    for (const { folder, segments } of parts.parts) {
      const text = MediaPlaylist.renderGrowing(initName, segments, FfmpegCommand.segmentSeconds)
      yield* put(bucket, `${prefix}${folder}/${playlistName}`, text, 1)
    }
    // These are what was waited for; whoever brought one of them tells.
    if (part !== "0" && !begins.includes(part)) return
    const declared = (name: string): number =>
      (plan.renditions.find((rendition) => rendition.name === name)?.kilobits ?? FfmpegCommand.audioKilobits) * 1000
    const text = MasterPlaylist.render(parts.variants, parts.sounds, { audioOnly: options.audioOnly ?? true, declared })
    yield* put(bucket, `${prefix}${playlistName}`, renamed(text), 1)
    if (announce === undefined) return
    const playback = yield* PlaybackUrls
    const urlFor = (key: string) => playback.urlFor({ bucket, key })
    yield* Announcement.decideAndTell(record, urlFor)(eventOf(job), job.attempt, `${prefix}${playlistName}`, announce)
  }).pipe(Effect.catch((error) => Effect.logDebug("provisional playlists were not put", { error })))

/** Whoever began with the provisional playlists finds the end of the film in them too. */
export const finish = (bucket: string, prefix: string, parts: StreamParts.StreamParts, audioOnly: boolean) =>
  Effect.gen(function* () {
    for (const { folder, segments } of parts.parts) {
      yield* put(bucket, `${prefix}${folder}/${playlistName}`, MediaPlaylist.render(initName, segments), 60)
    }
    const text = MasterPlaylist.render(parts.variants, parts.sounds, { audioOnly })
    yield* put(bucket, `${prefix}${playlistName}`, renamed(text), 60)
  })
