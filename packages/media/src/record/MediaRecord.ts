/**
 * The state record of a media: which uploads were seen in which order, which attempts wrote where, which one is
 * published. All changes are compare-and-set, so that two workers agree on one order.
 *
 * - Two uploads of one media: each event gets a generation at first sight. The older may publish while the newer is
 *   still at work, never after it.
 * - Two owners of one event (a lease ran out): the higher token wins; the other is told that it is superseded.
 * - What was published before stays in storage until the next publication, for players that are in the middle of it;
 *   every other earlier attempt is given up for removal.
 */
import type { ConfigurationError } from "@armoricore/domain/Errors"
import { TransientError } from "@armoricore/domain/Errors"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { MediaAttempt, MediaState } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { Clock, Effect, Option } from "effect"

export type Stage = MediaState["stage"]

/** What was found and set at the start of an attempt. */
export type BeginResult =
  | { readonly _tag: "Go"; readonly attempt: MediaAttempt }
  /** An earlier attempt of the same event got as far as publishing. */
  | {
      readonly _tag: "AlreadyReady"
      readonly attempt: MediaAttempt
      readonly ready: PayloadOf<"media.ready">
      /** Whether `media.playable` was told of it. */
      readonly isPlayablePublished: boolean
    }
  | { readonly _tag: "Superseded" }

export interface Publication {
  readonly attempt: MediaAttempt
  readonly ready: PayloadOf<"media.ready">
  readonly renditions: MediaState["renditions"]
  readonly timings: MediaState["timings"]
  /** Whether `media.playable` was told of this attempt. */
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
  /** Where the newest upload stands; ignored for others. */
  readonly progress: (
    event: EventOf<"media.uploaded">,
    stage: Stage,
    percent: number,
  ) => Effect.Effect<void, RecordError>
  /** Whether this attempt may tell that it can be played: it is the newest try of the newest upload, and wanted. */
  readonly markPlayable: (
    event: EventOf<"media.uploaded">,
    attempt: MediaAttempt,
    playable: PayloadOf<"media.playable">,
  ) => Effect.Effect<boolean, RecordError>
  /** The upload was counted against its user's quota. */
  readonly markCharged: (event: EventOf<"media.uploaded">) => Effect.Effect<void, RecordError>
  readonly publish: (
    event: EventOf<"media.uploaded">,
    publication: Publication,
  ) => Effect.Effect<PublishResult, RecordError>
  /**
   * Marks the upload as failed if it is the newest; returns the prefixes that nobody needs any more. Those of `kept` hold
   * what a retry need not make again.
   */
  readonly fail: (
    eventId: string,
    failed: PayloadOf<"media.failed">,
    retainedPrefixes?: ReadonlySet<string>,
  ) => Effect.Effect<ReadonlyArray<string>, RecordError>
  /** Event ids of the uploads that were seen of a media. */
  readonly uploadEventIds: (mediaId: string) => Effect.Effect<ReadonlyArray<string>, RecordError>
  readonly find: (mediaId: string) => Effect.Effect<MediaState | undefined, RecordError>
  /** From now on the media is not there, and what works on it is superseded. Returns what it was. */
  readonly remove: (mediaId: string) => Effect.Effect<MediaState | undefined, RecordError>
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

  const begin: MediaRecord["begin"] = Effect.fnUntraced(function* (event, token, prefix, isRepublish) {
    const trace = Option.getOrUndefined(yield* Effect.option(Effect.currentParentSpan))?.traceId
    return yield* modify(event.payload.media_id, (current, now): readonly [BeginResult, MediaState | undefined] => {
      const newest = current === undefined ? 0 : (current.generations[current.source_event_id] ?? 0)
      const generation = current?.generations[event.event_id] ?? newest + 1
      const attempt = { prefix, generation, token }
      const version = current?.version
      // Uploads that were known when it was deleted stay so; a new one begins anew.
      if (current?.deleted_at !== undefined && generation <= newest) return [{ _tag: "Superseded" }, undefined]
      if (version !== undefined && version.generation > generation) return [{ _tag: "Superseded" }, undefined]
      if (!isRepublish && version?.generation === generation && current?.ready !== undefined) {
        const isPlayablePublished = current.playable_prefix === version.prefix
        return [{ _tag: "AlreadyReady", attempt: version, ready: current.ready, isPlayablePublished }, undefined]
      }
      const attempts = [...(current?.attempts ?? []).filter((one) => one.prefix !== prefix), attempt]
      if (current !== undefined && generation < newest)
        return [
          { _tag: "Go", attempt },
          { ...current, attempts },
        ]
      const {
        charged: was,
        deleted_at: _,
        failed: __,
        request_id: ___,
        trace_id: ____,
        ...kept
      } = withoutPlayable(current) ?? { renditions: [], timings: {} }
      // A retry of ours is about the same upload.
      const isCharged = was === true && (event.source === "media" || current?.source_event_id === event.event_id)
      const next: MediaState = {
        ...kept,
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
      return [{ _tag: "Go", attempt }, next]
    })
  })

  const progress: MediaRecord["progress"] = (event, stage, percent) =>
    modify(event.payload.media_id, (current, now) => [
      undefined,
      current === undefined ||
      current.source_event_id !== event.event_id ||
      current.status !== "processing" ||
      // Several machines may be at work on it, and each knows of its own part first.
      (current.stage === stage && current.percent >= percent)
        ? undefined
        : { ...current, stage, percent, updated_at: now },
    ])

  const markPlayable: MediaRecord["markPlayable"] = (event, attempt, payload) =>
    modify(event.payload.media_id, (current, now): readonly [boolean, MediaState | undefined] => {
      if (current === undefined || current.source_event_id !== event.event_id || current.status !== "processing")
        return [false, undefined]
      if (isSuperseded(current, attempt) || current.attempts.some((one) => isOlder(attempt, one)))
        return [false, undefined]
      return [true, { ...current, playable: payload, playable_prefix: attempt.prefix, updated_at: now }]
    })

  const markCharged: MediaRecord["markCharged"] = (event) =>
    modify(event.payload.media_id, (current) => [
      undefined,
      current === undefined || current.source_event_id !== event.event_id ? undefined : { ...current, charged: true },
    ])

  const publish: MediaRecord["publish"] = (
    event,
    { attempt, isPlayablePublished: isTold, ready, renditions, timings },
  ) =>
    modify(event.payload.media_id, (current, now): readonly [PublishResult, MediaState | undefined] => {
      if (current === undefined || isSuperseded(current, attempt)) return [{ _tag: "Superseded" }, undefined]
      const previous = current.version
      const staleAttempts = current.attempts.filter(
        (one) => isOlder(one, attempt) && one.prefix !== previous?.prefix && one.prefix !== attempt.prefix,
      )
      const others = current.playable_prefix !== undefined && current.playable_prefix !== attempt.prefix
      const next: MediaState = {
        ...(isTold || others ? current : withoutPlayable(current)),
        ...(current.source_event_id === event.event_id ? { status: "ready", stage: "publishing", percent: 100 } : {}),
        attempts: current.attempts.filter((one) => !staleAttempts.includes(one)),
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
        (one) =>
          one.generation === generation && one.prefix !== current.version?.prefix && !retainedPrefixes.has(one.prefix),
      )
      const attempts = current.attempts.filter((one) => !staleAttempts.includes(one))
      // A failure told late must not hide that a replay made it.
      const mine = current.source_event_id === eventId && current.version?.generation !== generation
      return [
        staleAttempts.map(({ prefix }) => prefix),
        {
          ...(staleAttempts.some(({ prefix }) => prefix === current.playable_prefix)
            ? withoutPlayable(current)
            : current),
          ...(mine ? { status: "failed", failed } : {}),
          attempts,
          updated_at: now,
        },
      ]
    })

  const find: MediaRecord["find"] = (mediaId) =>
    Effect.map(states.get(mediaId), (found) => Option.getOrUndefined(found)?.value)

  const remove: MediaRecord["remove"] = (mediaId) =>
    modify(mediaId, (current, now): readonly [MediaState | undefined, MediaState | undefined] => {
      if (current === undefined) return [undefined, undefined]
      const { ready: _, upload: __, version: ___, ...rest } = withoutPlayable(current)
      return [
        current,
        { ...rest, status: "failed", renditions: [], deleted_at: current.deleted_at ?? now, updated_at: now },
      ]
    })

  return {
    begin,
    progress,
    markPlayable,
    markCharged,
    publish,
    fail,
    find,
    remove,
    uploadEventIds: (mediaId) =>
      Effect.map(
        states.get(mediaId),
        Option.match({ onNone: () => [], onSome: ({ value }) => Object.keys(value.generations) }),
      ),
  } satisfies MediaRecord
})

const withoutPlayable = <S extends MediaState | undefined>(state: S): S => {
  if (state === undefined) return state
  const { playable: _, playable_prefix: __, ...rest } = state
  // The two keys are optional: what is left is a state as before.
  return rest as S
}

const isOlder = (a: MediaAttempt, b: MediaAttempt): boolean =>
  a.generation < b.generation || (a.generation === b.generation && a.token < b.token)

/** The bus forgets after a week; a hundred uploads of one media are more than it can redeliver. */
const newestGenerations = (generations: MediaState["generations"]): MediaState["generations"] =>
  Object.fromEntries(
    Object.entries(generations)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 100),
  )
