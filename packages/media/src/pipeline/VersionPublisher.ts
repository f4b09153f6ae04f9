/**
 * After the last object of a version is in storage: builds the result, publishes the version in the state record and
 * removes superseded versions.
 */
import { type ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Effect, Record, Stream } from "effect"
import * as PlayableEvent from "./PlayableEvent.ts"
import * as MasterPlaylist from "../packaging/MasterPlaylist.ts"
import * as MediaRecord from "../record/MediaRecord.ts"
import { type MediaInfo, toMetadata } from "../probe/MediaInfo.ts"
import type { PublishedStream } from "../packaging/StreamPublisher.ts"

export type PublishOutcome =
  | {
      readonly _tag: "Ready"
      readonly ready: PayloadOf<"media.ready">
      /** To be published before `ready`; undefined: it was published during the encode. */
      readonly playableEvent: PlayableEvent.PlayableEvent | undefined
    }
  /**
   * A newer upload of this media is published, or the media was deleted; this one publishes no event, except for the end
   * of a deletion that waited for it.
   */
  | { readonly _tag: "Superseded"; readonly deleted?: PayloadOf<"media.deleted"> | undefined }

/** A version whose objects are all in storage. */
export interface EncodedVersion {
  readonly event: EventOf<"media.uploaded">
  readonly attempt: MediaAttempt
  readonly stream: PublishedStream
  readonly info: MediaInfo
  /** Size of the upload. */
  readonly bytes: number
  /** Wall-clock milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>
  /** Whether `media.playable` was published for it. */
  readonly isPlayablePublished: boolean
}

export interface VersionPublisher {
  readonly publish: (version: EncodedVersion) => Effect.Effect<PublishOutcome, TransientError | ConfigurationError>
  /**
   * Runs the last steps of an attempt. A newer upload that is published meanwhile removes this attempt's objects, which
   * makes these steps fail: then the result is undefined instead of the error.
   */
  readonly unlessSuperseded: (
    mediaId: string,
    attempt: MediaAttempt,
  ) => <A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ) => Effect.Effect<A | undefined, E | TransientError | ConfigurationError, R>
  /** Removes all objects below these prefixes. A failure is logged. */
  readonly removeStale: (prefixes: ReadonlyArray<string>) => Effect.Effect<void>
  readonly removePrefix: (prefix: string) => Effect.Effect<void, StorageError>
  /**
   * Removes what an attempt wrote after its media was deleted: a worker on another node may learn of the deletion later than the
   * objects were listed. Nothing happens while the state names the attempt.
   */
  readonly removeIfDeleted: (mediaId: string, attempt: MediaAttempt) => Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (bucket: string, record: MediaRecord.MediaRecord) {
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls

  const removePrefix: VersionPublisher["removePrefix"] = (prefix) =>
    Stream.runForEach(storage.list(bucket, prefix), ({ key }) => storage.remove({ bucket, key }))

  const removeStale: VersionPublisher["removeStale"] = (prefixes) =>
    Effect.forEach(prefixes, removePrefix, { discard: true }).pipe(
      // Best effort: leftover objects only cost space.
      Effect.catch((error) =>
        Effect.logWarning("Objects of earlier attempts could not be removed; delete them by hand", { prefixes, error }),
      ),
    )

  const urlFor = (key: string) => playback.urlFor({ bucket, key })

  const toReadyPayload = Effect.fnUntraced(function* ({ bytes, event: { payload }, info, stream }: EncodedVersion) {
    const top = stream.renditions[0]
    return {
      media_id: payload.media_id,
      user_id: payload.user_id,
      playback_urls: {
        hls: yield* urlFor(stream.master),
        ...(stream.dash === undefined ? {} : { dash: yield* urlFor(stream.dash) }),
        mp4: yield* Effect.all(Record.map(stream.mp4, urlFor)),
      },
      thumbnail_urls: yield* Effect.forEach(stream.thumbnails, urlFor),
      ...(stream.poster === undefined ? {} : { poster_url: yield* urlFor(stream.poster) }),
      ...(stream.storyboard === undefined ? {} : { storyboard_url: yield* urlFor(stream.storyboard) }),
      duration: Math.round(stream.seconds * 1000) / 1000,
      ...(top === undefined ? {} : { width: top.width, height: top.height }),
      // Further codecs have the same sizes.
      resolutions: stream.renditions
        .filter(({ codec }) => MasterPlaylist.codecFamily(codec) === MasterPlaylist.codecFamily(top?.codec ?? ""))
        .map(({ name }) => name),
      metadata: {
        ...payload.metadata,
        ...(info.chapters === undefined ? {} : { chapters: info.chapters }),
        source: toMetadata(info, bytes),
        ...(Record.isEmptyReadonlyRecord(stream.images)
          ? {}
          : { images: yield* Effect.all(Record.map(stream.images, urlFor)) }),
      },
    } satisfies PayloadOf<"media.ready">
  })

  const publish: VersionPublisher["publish"] = Effect.fn("VersionPublisher.publish")(function* (
    version: EncodedVersion,
  ) {
    const { attempt, event, isPlayablePublished, stream, timings } = version
    const ready = yield* toReadyPayload(version)
    const published = yield* record.publish(event, {
      attempt,
      ready,
      isPlayablePublished,
      renditions: stream.renditions.map((rendition) => ({
        name: rendition.name,
        width: rendition.width,
        height: rendition.height,
        bandwidth: MasterPlaylist.bandwidth(rendition, stream.audioTracks),
      })),
      timings,
    })
    if (published._tag === "Superseded") {
      yield* removeStale([attempt.prefix])
      return { _tag: "Superseded" }
    }
    yield* removeStale(published.stalePrefixes)
    return {
      _tag: "Ready",
      ready,
      playableEvent: isPlayablePublished ? undefined : PlayableEvent.fromReady(ready, attempt.prefix),
    }
  })

  const unlessSuperseded: VersionPublisher["unlessSuperseded"] = (mediaId, attempt) => (effect) =>
    Effect.catch(effect, (error) =>
      Effect.gen(function* () {
        if (!isTransient(error) || !MediaRecord.isSuperseded(yield* record.find(mediaId), attempt))
          return yield* Effect.fail(error)
        yield* removeStale([attempt.prefix])
        return undefined
      }),
    )

  const removeIfDeleted: VersionPublisher["removeIfDeleted"] = Effect.fn("VersionPublisher.removeIfDeleted")(
    function* (mediaId, { prefix }) {
      const state = yield* record.find(mediaId)
      const isNamed = state?.version?.prefix === prefix || state?.attempts.some((attempt) => attempt.prefix === prefix)
      if (state?.deleted_at !== undefined || isNamed !== true) yield* removeStale([prefix])
    },
    Effect.catch((error) => Effect.logWarning("objects of a deleted media were perhaps not removed", { error })),
  )

  return { publish, unlessSuperseded, removeIfDeleted, removeStale, removePrefix } satisfies VersionPublisher
})

const isTransient = (error: unknown): boolean => error instanceof TransientError
