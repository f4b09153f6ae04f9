/**
 * The state record of a media: the order of its uploads, the attempts and their prefixes, and the published version. All
 * changes are compare-and-set, so that all workers agree on one order.
 *
 * - Two uploads of one media: each event gets a generation when a worker first sees it. The older upload may publish
 *   while the newer one is being processed, but not after it.
 * - Two owners of one event (a lease expired): the higher fencing token wins; the other attempt is superseded.
 * - The first upload of a media names its owner, and a deletion does not change that. An upload of another user changes
 *   nothing.
 * - The previously published version stays in storage until the next publication, for players that are using it. All
 *   other earlier attempts are returned for removal.
 */
import type { ConfigurationError } from "@armoricore/domain/Errors"
import { TransientError } from "@armoricore/domain/Errors"
import type { UploadedCaptions } from "@armoricore/domain/CaptionTrack"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { MediaAttempt, MediaState } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { Clock, Effect, Option } from "effect"

export type Stage = MediaState["stage"]

/** Whether an attempt may start. */
export type BeginResult =
  | { readonly _tag: "Started"; readonly attempt: MediaAttempt }
  /** An earlier attempt of the same event has published. */
  | {
      readonly _tag: "AlreadyReady"
      readonly attempt: MediaAttempt
      readonly ready: PayloadOf<"media.ready">
      /** Whether `media.playable` was published for it. */
      readonly isPlayablePublished: boolean
    }
  | { readonly _tag: "Superseded" }
  /** The media belongs to another user. */
  | { readonly _tag: "NotOwner" }

export interface Publication {
  readonly attempt: MediaAttempt
  readonly ready: PayloadOf<"media.ready">
  readonly renditions: MediaState["renditions"]
  readonly timings: MediaState["timings"]
  /** Whether `media.playable` was published for this attempt. */
  readonly isPlayablePublished: boolean
}

export type PublishResult =
  | { readonly _tag: "Published"; readonly stalePrefixes: ReadonlyArray<string> }
  | { readonly _tag: "Superseded" }

/** Whether something newer than this attempt is published, or the media was deleted. */
export const isSuperseded = (state: MediaState | undefined, attempt: MediaAttempt): boolean =>
  state === undefined ||
  state.deleted_at !== undefined ||
  (state.version !== undefined && isOlder(attempt, state.version))

type RecordError = TransientError | ConfigurationError

export interface MediaRecord {
  /** Registers the attempt before anything is written below its prefix. */
  readonly begin: (
    event: EventOf<"media.uploaded">,
    fencingToken: number,
    prefix: string,
    isRepublish: boolean,
  ) => Effect.Effect<BeginResult, RecordError>
  /** Records the progress of the newest upload; ignored for older uploads. */
  readonly progress: (
    event: EventOf<"media.uploaded">,
    stage: Stage,
    percent: number,
  ) => Effect.Effect<void, RecordError>
  /** Records that the stream can be played. Returns false unless this is the newest attempt of the newest upload. */
  readonly markPlayable: (
    event: EventOf<"media.uploaded">,
    attempt: MediaAttempt,
    playable: PayloadOf<"media.playable">,
  ) => Effect.Effect<boolean, RecordError>
  /** Records that the bus has stored `media.playable` of this attempt. */
  readonly markPlayablePublished: (
    event: EventOf<"media.uploaded">,
    attempt: MediaAttempt,
  ) => Effect.Effect<void, RecordError>
  /** Records that the upload was charged to its user's quota. */
  readonly markCharged: (event: EventOf<"media.uploaded">) => Effect.Effect<void, RecordError>
  readonly publish: (
    event: EventOf<"media.uploaded">,
    publication: Publication,
  ) => Effect.Effect<PublishResult, RecordError>
  /**
   * Marks the upload as failed if it is the newest, and returns the prefixes to remove. A retry can reuse the output below
   * `retainedPrefixes`, so those stay.
   */
  readonly fail: (
    eventId: string,
    failed: PayloadOf<"media.failed">,
    retainedPrefixes?: ReadonlySet<string>,
  ) => Effect.Effect<ReadonlyArray<string>, RecordError>
  /** Event ids of all known uploads of a media. */
  readonly uploadEventIds: (mediaId: string) => Effect.Effect<ReadonlyArray<string>, RecordError>
  readonly find: (mediaId: string) => Effect.Effect<MediaState | undefined, RecordError>
  /** Marks the media as deleted, which supersedes all its attempts. An upload after `generation` is a new life of it. */
  readonly markDeleted: (mediaId: string, generation: number) => Effect.Effect<void, RecordError>
  /** Sets or, without a value, removes uploaded captions. Returns the files that are no longer needed. */
  readonly setCaptions: (
    mediaId: string,
    key: string,
    captions: UploadedCaptions | undefined,
  ) => Effect.Effect<ReadonlyArray<string>, RecordError>
  /** Removes everything from the state of a deleted media that describes its content. */
  readonly clearDeleted: (mediaId: string) => Effect.Effect<void, RecordError>
}

export const make = Effect.gen(function* () {
  const states = yield* Collection.make(mediaStates)

  const modify = <B>(
    mediaId: string,
    decide: (current: MediaState | undefined, now: string) => readonly [B, MediaState | undefined],
  ): Effect.Effect<B, RecordError> =>
    states.modifyOrRetry(mediaId, (current) =>
      Effect.map(Clock.currentTimeMillis, (millis) => {
        const [result, next] = decide(Option.getOrUndefined(current)?.value, new Date(millis).toISOString())
        return [result, Option.fromNullishOr(next)] as const
      }),
    )

  const begin: MediaRecord["begin"] = Effect.fnUntraced(function* (event, fencingToken, prefix, isRepublish) {
    const trace = Option.getOrUndefined(yield* Effect.option(Effect.currentParentSpan))?.traceId
    return yield* modify(event.payload.media_id, (current, now): readonly [BeginResult, MediaState | undefined] => {
      if (current !== undefined && current.user_id !== event.payload.user_id) return [{ _tag: "NotOwner" }, undefined]
      const newest = current === undefined ? 0 : (current.generations[current.source_event_id] ?? 0)
      const generation = current?.generations[event.event_id] ?? newest + 1
      const attempt = { prefix, generation, token: fencingToken }
      const version = current?.version
      // Uploads that were known at the deletion stay deleted; a new upload starts a new life of the media.
      if (current?.deleted_at !== undefined && generation <= newest) return [{ _tag: "Superseded" }, undefined]
      if (version !== undefined && version.generation > generation) return [{ _tag: "Superseded" }, undefined]
      if (!isRepublish && version?.generation === generation && current?.ready !== undefined) {
        const isPlayablePublished = current.playable_prefix === version.prefix
        return [{ _tag: "AlreadyReady", attempt: version, ready: current.ready, isPlayablePublished }, undefined]
      }
      const attempts = [...(current?.attempts ?? []).filter((earlier) => earlier.prefix !== prefix), attempt]
      if (current !== undefined && generation < newest)
        return [
          { _tag: "Started", attempt },
          { ...current, attempts },
        ]
      const {
        charged: wasCharged,
        deleted_at: _,
        failed: __,
        request_id: ___,
        trace_id: ____,
        ...unchanged
      } = withoutPlayable(current) ?? { renditions: [], timings: {} }
      // A retry request of this service refers to the same upload.
      const isCharged = wasCharged === true && (event.source === "media" || current?.source_event_id === event.event_id)
      const next: MediaState = {
        ...unchanged,
        media_id: event.payload.media_id,
        user_id: event.payload.user_id,
        status: "processing",
        stage: "queued",
        percent: 0,
        source_event_id: event.event_id,
        upload: event.payload,
        ...(trace === undefined ? {} : { trace_id: trace }),
        ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
        generations: newestGenerations({ ...current?.generations, [event.event_id]: generation }),
        attempts,
        ...(isCharged ? { charged: true } : {}),
        updated_at: now,
      }
      return [{ _tag: "Started", attempt }, next]
    })
  })

  const progress: MediaRecord["progress"] = (event, stage, percent) =>
    modify(event.payload.media_id, (current, now) => [
      undefined,
      current === undefined ||
      current.source_event_id !== event.event_id ||
      current.status !== "processing" ||
      // Several workers may encode chunks of it: progress never decreases.
      (current.stage === stage && current.percent >= percent)
        ? undefined
        : { ...current, stage, percent, updated_at: now },
    ])

  const markPlayable: MediaRecord["markPlayable"] = (event, attempt, payload) =>
    modify(event.payload.media_id, (current, now): readonly [boolean, MediaState | undefined] => {
      if (current === undefined || current.source_event_id !== event.event_id || current.status !== "processing")
        return [false, undefined]
      if (isSuperseded(current, attempt) || current.attempts.some((other) => isOlder(attempt, other)))
        return [false, undefined]
      return [true, { ...current, playable: payload, playable_prefix: attempt.prefix, updated_at: now }]
    })

  const markPlayablePublished: MediaRecord["markPlayablePublished"] = (event, { prefix }) =>
    modify(event.payload.media_id, (current) => [
      undefined,
      current?.playable_prefix === prefix ? { ...current, playable_published_prefix: prefix } : undefined,
    ])

  const markCharged: MediaRecord["markCharged"] = (event) =>
    modify(event.payload.media_id, (current) => [
      undefined,
      current === undefined || current.source_event_id !== event.event_id ? undefined : { ...current, charged: true },
    ])

  const publish: MediaRecord["publish"] = (event, { attempt, isPlayablePublished, ready, renditions, timings }) =>
    modify(event.payload.media_id, (current, now): readonly [PublishResult, MediaState | undefined] => {
      if (current === undefined || isSuperseded(current, attempt)) return [{ _tag: "Superseded" }, undefined]
      const previous = current.version
      const staleAttempts = current.attempts.filter(
        (other) => isOlder(other, attempt) && other.prefix !== previous?.prefix && other.prefix !== attempt.prefix,
      )
      const isOtherPlayable = current.playable_prefix !== undefined && current.playable_prefix !== attempt.prefix
      const next: MediaState = {
        ...(isPlayablePublished || isOtherPlayable ? current : withoutPlayable(current)),
        ...(current.source_event_id === event.event_id ? { status: "ready", stage: "publishing", percent: 100 } : {}),
        attempts: current.attempts.filter((other) => !staleAttempts.includes(other)),
        version: attempt,
        ready,
        renditions,
        timings,
        updated_at: now,
      }
      return [{ _tag: "Published", stalePrefixes: staleAttempts.map(({ prefix }) => prefix) }, next]
    })

  const fail: MediaRecord["fail"] = (eventId, failed, retainedPrefixes = new Set()) =>
    modify(failed.media_id, (current, now): readonly [ReadonlyArray<string>, MediaState | undefined] => {
      const generation = current?.generations[eventId]
      if (current === undefined || generation === undefined) return [[], undefined]
      if (current.deleted_at !== undefined) return [current.attempts.map(({ prefix }) => prefix), undefined]
      const staleAttempts = current.attempts.filter(
        ({ generation: other, prefix }) =>
          other === generation && prefix !== current.version?.prefix && !retainedPrefixes.has(prefix),
      )
      const attempts = current.attempts.filter((other) => !staleAttempts.includes(other))
      // A late failure event must not hide that a replay of the event has published.
      const isCurrent = current.source_event_id === eventId && current.version?.generation !== generation
      return [
        staleAttempts.map(({ prefix }) => prefix),
        {
          ...(staleAttempts.some(({ prefix }) => prefix === current.playable_prefix)
            ? withoutPlayable(current)
            : current),
          ...(isCurrent ? { status: "failed", failed } : {}),
          attempts,
          updated_at: now,
        },
      ]
    })

  const find: MediaRecord["find"] = (mediaId) =>
    Effect.map(states.get(mediaId), (document) => Option.getOrUndefined(document)?.value)

  const markDeleted: MediaRecord["markDeleted"] = (mediaId, generation) =>
    modify(mediaId, (current, now) => [
      undefined,
      current === undefined || current.deleted_at !== undefined || newestGeneration(current) > generation
        ? undefined
        : { ...current, status: "failed", deleted_at: now, updated_at: now },
    ])

  const setCaptions: MediaRecord["setCaptions"] = (mediaId, key, captions) =>
    modify(mediaId, (current, now) => {
      // The media was deleted meanwhile: nothing refers to the new file.
      if (current === undefined || current.deleted_at !== undefined)
        return [captions === undefined ? [] : [captions.key], undefined]
      const { [key]: before, ...others } = current.captions ?? {}
      // An older request that was delivered again.
      if (before !== undefined && captions !== undefined && captions.uploaded_at < before.uploaded_at)
        return [captions.key === before.key ? [] : [captions.key], undefined]
      const stale = before === undefined || before.key === captions?.key ? [] : [before.key]
      const all = captions === undefined ? others : { ...others, [key]: captions }
      return [stale, { ...current, captions: all, updated_at: now }]
    })

  const clearDeleted: MediaRecord["clearDeleted"] = (mediaId) =>
    modify(mediaId, (current, now) => {
      if (current?.deleted_at === undefined) return [undefined, undefined]
      const { captions: _____, failed: _, ready: __, upload: ___, version: ____, ...rest } = withoutPlayable(current)
      return [undefined, { ...rest, renditions: [], updated_at: now }]
    })

  return {
    begin,
    progress,
    markPlayable,
    markPlayablePublished,
    markCharged,
    publish,
    fail,
    find,
    markDeleted,
    setCaptions,
    clearDeleted,
    uploadEventIds: (mediaId) =>
      Effect.map(
        states.get(mediaId),
        Option.match({ onNone: () => [], onSome: ({ value }) => Object.keys(value.generations) }),
      ),
  } satisfies MediaRecord
})

const withoutPlayable = <S extends MediaState | undefined>(state: S): S => {
  if (state === undefined) return state
  const { playable: _, playable_prefix: __, playable_published_prefix: ___, ...rest } = state
  // Cast: the two keys are optional, so the rest is still a complete state.
  return rest as S
}

/** The version of an attempt: the last folder of its prefix. */
export const versionFromPrefix = (prefix: string): string => prefix.split("/").at(-2) ?? ""

export const versionPrefix = (mediaId: string, version: string): string => `media/${mediaId}/${version}/`

/** The generation of the newest upload. */
export const newestGeneration = (state: MediaState): number => state.generations[state.source_event_id] ?? 0

const isOlder = (a: MediaAttempt, b: MediaAttempt): boolean =>
  a.generation < b.generation || (a.generation === b.generation && a.token < b.token)

/** The bus retains events for a week, in which one media hardly gets a hundred uploads that could be redelivered. */
const newestGenerations = (generations: MediaState["generations"]): MediaState["generations"] =>
  Object.fromEntries(
    Object.entries(generations)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 100),
  )
