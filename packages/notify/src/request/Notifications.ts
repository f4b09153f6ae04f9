/**
 * The state documents of notifications. The request creates the document; each delivery then adds its summary. A single
 * push has no document of its own while its first call runs: the notification says that it does (`first_call`). When
 * every delivery is final, the notification becomes `sent` or `failed` exactly once, and the update that made it final
 * returns the event.
 *
 * - Two deliveries end at the same time: every write is a compare-and-set. Updates within one process are batched, so
 *   that a thousand deliveries of one notification do not write its document a thousand times.
 * - The process crashes after the last update was written and before the ledger stored the events: the redelivered
 *   message repeats the update. The update changes nothing and returns the same events with the same ids, because every
 *   event of a delivery can be created again from this document.
 * - A delivery that failed temporarily is replayed and sent: `failed` becomes `sent`, never the reverse.
 */
import { type ConfigurationError, type Conflict, TransientError } from "@armoricore/domain/Errors"
import type { DeliveryEntry, FirstCall, NotificationState } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { aliasKeyOf, notificationAliases, notificationStates } from "@armoricore/state/NotificationStates"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import { Clock, Context, Deferred, Duration, Effect, Exit, Layer, Option, Result, Schedule } from "effect"
import * as DocumentCache from "./DocumentCache.ts"
import * as InvalidTokens from "./InvalidTokens.ts"
import {
  type DeliveryUpdate,
  finalEvent,
  merge,
  mergeUpdates,
  repeatedFinalEvent,
  type UpdateGroup,
} from "./NotificationChanges.ts"

export type { DeliveryUpdate } from "./NotificationChanges.ts"

type StateError = TransientError | ConfigurationError

/** The new notification, whose only open delivery at `index` is sent now. */
export interface CallClaim {
  readonly state: NotificationState
  readonly index: number
  readonly call: FirstCall
}

export interface CallEnd {
  /** As `claimCalls` returned it. */
  readonly claimed: DocumentCache.Document
  readonly update: DeliveryUpdate
}

export type EndedCall =
  /** With the events, as `applyUpdates` returns them. */
  | { readonly _tag: "Stored"; readonly events: ReadonlyArray<ResultMessage> }
  /** The write failed, or another process changed the document. `retry` stores the result, as `applyUpdates`. */
  | { readonly _tag: "NotStored"; readonly retry: Effect.Effect<ReadonlyArray<ResultMessage>, StateError> }

export class Notifications extends Context.Service<
  Notifications,
  {
    /** Stores a new notification. If the id exists, returns the stored notification. */
    readonly create: (state: NotificationState) => Effect.Effect<NotificationState, StateError>
    /**
     * Stores a new notification whose only open delivery, at `index`, is sent now. This write is the claim of the call:
     * it fails with `Conflict` if the id exists.
     */
    readonly createCalling: (
      state: NotificationState,
      index: number,
      call: FirstCall,
    ) => Effect.Effect<void, Conflict | StateError>
    /** Ends the lease of an interrupted first call. `wasSent` is false if the provider certainly did not receive it. */
    readonly releaseCall: (id: string, index: number, wasSent: boolean) => Effect.Effect<void, Conflict | StateError>
    /** `createCalling` for several notifications, for `endCalls`. `undefined` for an id that exists. */
    readonly claimCalls: (
      claims: ReadonlyArray<CallClaim>,
    ) => Effect.Effect<ReadonlyArray<DocumentCache.Document | undefined>, StateError>
    /** Stores the results of calls that `claimCalls` began, in their order. */
    readonly endCalls: (ends: ReadonlyArray<CallEnd>) => Effect.Effect<ReadonlyArray<EndedCall>>
    /** As `releaseCall`, of a call that `claimCalls` began. */
    readonly releaseClaim: (
      claimed: DocumentCache.Document,
      index: number,
      wasSent: boolean,
    ) => Effect.Effect<void, Conflict | StateError>
    /**
     * Makes the notification available under the request's `event_id` too, if an idempotency key gave it another id.
     */
    readonly alias: (eventId: string, id: string) => Effect.Effect<void, StateError>
    /** Content and targets never change. The other fields may be older than the stored document. */
    readonly get: (id: string) => Effect.Effect<Option.Option<NotificationState>, StateError>
    /** As `get`, and current: reads the stored document. */
    readonly refresh: (id: string) => Effect.Effect<Option.Option<NotificationState>, StateError>
    /** Stores the summaries of deliveries. Returns the final event if the notification becomes final, or already is. */
    readonly applyUpdates: (
      id: string,
      updates: ReadonlyArray<DeliveryUpdate>,
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, StateError>
    /** The events of a notification that waits for no delivery: those of its deliveries and the final one. */
    readonly finalize: (id: string) => Effect.Effect<ReadonlyArray<ResultMessage>, StateError>
  }
>()("@armoricore/notify/Notifications") {
  static readonly layer: Layer.Layer<Notifications, never, KeyValue> = Layer.effect(
    Notifications,
    Effect.suspend(() => make),
  )
}

interface PendingUpdate extends UpdateGroup {
  readonly done: Deferred.Deferred<ReadonlyArray<ResultMessage>, StateError>
}

const stored = (events: ReadonlyArray<ResultMessage>): EndedCall => ({ _tag: "Stored", events })
const notStored = (retry: Effect.Effect<ReadonlyArray<ResultMessage>, StateError>): EndedCall => ({
  _tag: "NotStored",
  retry,
})

const flushDelay = Duration.millis(5)
const isTransient = ({ _tag }: StateError): boolean => _tag === "TransientError"
const endCallSchedule = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 5 }))

const make = Effect.gen(function* () {
  const documents = yield* Collection.make(notificationStates)
  const aliases = yield* Collection.make(notificationAliases)
  const cache = DocumentCache.make({ maxEntries: 2_000, maxCharacters: 32_000_000 })
  const pending = new Map<string, Array<PendingUpdate>>()

  const load = (id: string) =>
    Effect.tap(documents.get(id), (found) => {
      if (Option.isSome(found)) cache.put(found.value)
      return Effect.void
    })

  const write = (
    document: DocumentCache.Document,
    next: NotificationState,
  ): Effect.Effect<void, Conflict | StateError> =>
    Effect.map(documents.update(document.key, next, document.revision), (revision) =>
      cache.put({ key: document.key, value: next, revision }),
    )

  /** Applies all waiting updates in one write. The last one gets the final event. */
  const apply = (
    id: string,
    batch: ReadonlyArray<PendingUpdate>,
  ): Effect.Effect<ReadonlyArray<ResultMessage>, StateError> =>
    Effect.gen(function* () {
      for (let attemptsLeft = 64; ; attemptsLeft--) {
        const document = cache.get(id) ?? Option.getOrUndefined(yield* load(id))
        if (document === undefined) {
          yield* Effect.logWarning(`Dropped updates of the notification ${id}: it no longer exists`)
          return []
        }
        const now = new Date(yield* Clock.currentTimeMillis).toISOString()
        const next = merge(document.value, batch, now)
        if (next === document.value) return repeatedFinalEvent(next, batch)
        const written = yield* Effect.result(write(document, next))
        if (Result.isSuccess(written))
          return next.status === document.value.status ? repeatedFinalEvent(next, batch) : finalEvent(next)
        if (written.failure._tag !== "Conflict") return yield* written.failure
        cache.remove(id)
        if (attemptsLeft <= 1) return yield* writeConflict(id)
      }
    })

  const applyUpdates = (
    id: string,
    updates: ReadonlyArray<DeliveryUpdate>,
  ): Effect.Effect<ReadonlyArray<ResultMessage>, StateError> =>
    Effect.uninterruptible(
      Effect.suspend(() => {
        const queue = pending.get(id)
        const entry: PendingUpdate = { updates, done: Deferred.makeUnsafe() }
        if (queue !== undefined) {
          queue.push(entry)
          return Deferred.await(entry.done)
        }
        pending.set(id, [])
        const first = Effect.suspend(() => {
          const more = pending.get(id) ?? []
          pending.set(id, [])
          return flush(id, [entry, ...more])
        })
        const open = openCount(cache.get(id)?.value) - updates.length
        // Other deliveries of this notification probably end within these milliseconds: one write serves them all.
        return Effect.andThen(open > 0 ? Effect.delay(first, flushDelay) : first, Deferred.await(entry.done))
      }),
    )

  const flush = (id: string, first: ReadonlyArray<PendingUpdate>): Effect.Effect<void> =>
    Effect.gen(function* () {
      let batch = first
      while (batch.length > 0) {
        const exit = yield* Effect.exit(apply(id, batch))
        batch.forEach(({ done }, at) =>
          Deferred.doneUnsafe(done, Exit.isSuccess(exit) && at < batch.length - 1 ? Exit.succeed([]) : exit),
        )
        batch = pending.get(id) ?? []
        pending.set(id, [])
      }
      pending.delete(id)
    })

  const createNew = (state: NotificationState): Effect.Effect<NotificationState, Conflict | StateError> =>
    Effect.map(documents.create(state.notification_id, state), (revision) => {
      cache.put({ key: state.notification_id, value: state, revision })
      return state
    })

  /** Without the cache: the caller has the document. */
  const claimCalls: Notifications["Service"]["claimCalls"] = (claims) => {
    const claimed = claims.map(({ call, index, state }) => ({
      key: state.notification_id,
      value: withEntry(state, index, (entry) => ({ ...entry, first_call: call })),
      revision: 0,
    }))
    return Effect.map(documents.writeMany(claimed), (revisions) =>
      claimed.map((document, at) => {
        const revision = revisions[at]
        return revision === undefined ? undefined : { ...document, revision }
      }),
    )
  }

  const endCalls: Notifications["Service"]["endCalls"] = (ends) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const updatedAt = new Date(now).toISOString()
      const written = ends.map(({ claimed, update }) => ({
        ...claimed,
        value: mergeUpdates(claimed.value, [update], updatedAt),
      }))
      // A report of the provider came first, or the state is unavailable for a moment: the call cannot be undone.
      const again = ({ claimed, update }: CallEnd) =>
        notStored(Effect.retry(applyUpdates(claimed.key, [update]), { while: isTransient, schedule: endCallSchedule }))
      return Effect.matchEffect(documents.writeMany(written), {
        onSuccess: (revisions) =>
          Effect.succeed(
            ends.map((end, at) => {
              const next = written[at]?.value
              return revisions[at] === undefined || next === undefined ? again(end) : stored(finalEvent(next))
            }),
          ),
        onFailure: () => Effect.succeed(ends.map(again)),
      })
    })

  const releasedCall = (document: DocumentCache.Document, index: number, wasSent: boolean) => {
    const call = document.value.deliveries[index]?.first_call
    if (call === undefined) return undefined
    return withEntry(document.value, index, ({ first_call: _call, ...entry }) =>
      wasSent ? { ...entry, first_call: { ...call, lease_until: 0 } } : entry,
    )
  }

  const alias = (eventId: string, id: string) =>
    eventId === id ? Effect.void : Effect.asVoid(aliases.put(aliasKeyOf(eventId), { notification_id: id }))

  return Notifications.of({
    createCalling: (state, index, call) =>
      Effect.andThen(
        createNew(withEntry(state, index, (entry) => ({ ...entry, first_call: call }))),
        alias(state.source_event_id, state.notification_id),
      ),
    releaseCall: (id, index, wasSent) =>
      Effect.suspend(() => {
        const document = cache.get(id)
        const next = document === undefined ? undefined : releasedCall(document, index, wasSent)
        return document === undefined || next === undefined ? Effect.void : write(document, next)
      }),
    claimCalls,
    endCalls,
    releaseClaim: (claimed, index, wasSent) => {
      const next = releasedCall(claimed, index, wasSent)
      return next === undefined ? Effect.void : Effect.asVoid(documents.update(claimed.key, next, claimed.revision))
    },
    create: (state) =>
      createNew(state).pipe(
        Effect.catchTag("Conflict", () =>
          Effect.flatMap(
            load(state.notification_id),
            Option.match({
              onNone: () => Effect.fail(writeConflict(state.notification_id)),
              onSome: ({ value }) => Effect.succeed(value),
            }),
          ),
        ),
      ),
    alias,
    get: (id) => {
      const known = cache.get(id)
      return known === undefined
        ? Effect.map(
            load(id),
            Option.map(({ value }) => value),
          )
        : Effect.succeed(Option.some(known.value))
    },
    refresh: (id) =>
      Effect.map(
        load(id),
        Option.map(({ value }) => value),
      ),
    applyUpdates,
    finalize: (id) =>
      Effect.map(applyUpdates(id, []), (events) => {
        const known = cache.get(id)
        return known === undefined ? events : [...InvalidTokens.eventsOf(known.value), ...events]
      }),
  })
})

const withEntry = (
  state: NotificationState,
  index: number,
  change: (entry: DeliveryEntry) => DeliveryEntry,
): NotificationState => ({
  ...state,
  deliveries: state.deliveries.map((entry, at) => (at === index ? change(entry) : entry)),
})

const writeConflict = (id: string) =>
  new TransientError({
    dependency: "state",
    code: "write_conflict",
    message: `the notification ${id} changed during every attempt to update it`,
  })

const openCount = (state: NotificationState | undefined): number => {
  let open = 0
  for (const { summary } of state?.deliveries ?? []) if (summary === undefined) open++
  return open
}
