/**
 * What comes behind the last object of a version: the result, the step in the state record that publishes it, and the
 * removal of what nobody needs any more.
 */
import { type ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/Events"
import type { MediaAttempt } from "@armoricore/domain/MediaState"
import { ObjectStorage, type StorageError } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/Playback"
import { Effect, Record, Stream } from "effect"
import * as Announcement from "./Announcement.ts"
import * as MasterPlaylist from "./MasterPlaylist.ts"
import * as MediaRecord from "./MediaRecord.ts"
import type { MediaInfo } from "./Probe.ts"
import * as SourceFacts from "./SourceFacts.ts"
import type { PublishedStream } from "./StreamPublisher.ts"

export type Outcome =
  | {
      readonly _tag: "Ready"
      readonly ready: PayloadOf<"media.ready">
      /** What must be told before `ready`, because it was over before it could be. */
      readonly playable: Announcement.Announcement | undefined
    }
  /** A newer upload of this media is published already; nothing is to be told. */
  | { readonly _tag: "Superseded" }

/** A version whose objects are all in storage. */
export interface Whole {
  readonly event: EventOf<"media.uploaded">
  readonly attempt: MediaAttempt
  readonly made: PublishedStream
  readonly info: MediaInfo
  /** Of the upload. */
  readonly bytes: number
  /** Wall milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>
  /** Whether `media.playable` was told of it. */
  readonly isTold: boolean
}

export interface Completion {
  readonly publish: (whole: Whole) => Effect.Effect<Outcome, TransientError | ConfigurationError>
  /**
   * Does the last steps of an attempt; where it fails because a newer upload that was published meanwhile removed what
   * this one wrote, that is no fault of the storage, and the result is undefined.
   */
  readonly unlessOvertaken: (
    mediaId: string,
    attempt: MediaAttempt,
  ) => <A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ) => Effect.Effect<A | undefined, E | TransientError | ConfigurationError, R>
  /** Removes what lies below these prefixes; never fails. */
  readonly cleaned: (prefixes: ReadonlyArray<string>) => Effect.Effect<void>
  readonly removePrefix: (prefix: string) => Effect.Effect<void, StorageError>
}

export const make = Effect.fnUntraced(function* (bucket: string, record: MediaRecord.MediaRecord) {
  const storage = yield* ObjectStorage
  const playback = yield* PlaybackUrls

  const removePrefix: Completion["removePrefix"] = (prefix) =>
    Stream.runForEach(storage.list(bucket, prefix), ({ key }) => storage.remove({ bucket, key }))

  const cleaned: Completion["cleaned"] = (prefixes) =>
    Effect.forEach(prefixes, removePrefix, { discard: true }).pipe(
      // What stays behind costs space and harms nobody; the work itself is done.
      Effect.catch((error) => Effect.logWarning("objects of earlier attempts were not removed", { prefixes, error })),
    )

  const urlFor = (key: string) => playback.urlFor({ bucket, key })

  const readyOf = Effect.fnUntraced(function* ({ bytes, event: { payload }, info, made }: Whole) {
    const top = made.variants[0]
    return {
      media_id: payload.media_id,
      user_id: payload.user_id,
      playback_urls: {
        hls: yield* urlFor(made.master),
        dash: yield* urlFor(made.dash),
        mp4: yield* Effect.all(Record.map(made.mp4, urlFor)),
      },
      thumbnail_urls: yield* Effect.forEach(made.thumbnails, urlFor),
      ...(made.poster === undefined ? {} : { poster_url: yield* urlFor(made.poster) }),
      ...(made.storyboard === undefined ? {} : { storyboard_url: yield* urlFor(made.storyboard) }),
      duration: Math.round(made.seconds * 1000) / 1000,
      ...(top === undefined ? {} : { width: top.width, height: top.height }),
      resolutions: made.variants.map(({ name }) => name),
      metadata: {
        ...payload.metadata,
        source: SourceFacts.of(info, bytes),
        ...(Record.isEmptyReadonlyRecord(made.images)
          ? {}
          : { images: yield* Effect.all(Record.map(made.images, urlFor)) }),
      },
    } satisfies PayloadOf<"media.ready">
  })

  const publish: Completion["publish"] = Effect.fnUntraced(function* (whole: Whole) {
    const { attempt, event, isTold, made, timings } = whole
    const ready = yield* readyOf(whole)
    const published = yield* record.publish(event, {
      attempt,
      ready,
      playable: isTold,
      rungs: made.variants.map((variant) => ({
        name: variant.name,
        width: variant.width,
        height: variant.height,
        bandwidth: MasterPlaylist.bandwidth(variant, made.sounds),
      })),
      timings,
    })
    if (published._tag === "Superseded") {
      yield* cleaned([attempt.prefix])
      return { _tag: "Superseded" }
    }
    yield* cleaned(published.obsolete)
    return { _tag: "Ready", ready, playable: isTold ? undefined : Announcement.of(ready, attempt.prefix) }
  })

  const unlessOvertaken: Completion["unlessOvertaken"] = (mediaId, attempt) => (effect) =>
    Effect.catch(effect, (error) =>
      Effect.gen(function* () {
        if (!isTransient(error) || !MediaRecord.isOvertaken(yield* record.find(mediaId), attempt))
          return yield* Effect.fail(error)
        yield* cleaned([attempt.prefix])
        return undefined
      }),
    )

  return { publish, unlessOvertaken, cleaned, removePrefix } satisfies Completion
})

const isTransient = (error: unknown): boolean => error instanceof TransientError
