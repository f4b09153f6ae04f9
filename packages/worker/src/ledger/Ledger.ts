/**
 * Who works on what, and what was decided: one record per consumer and message, moved by compare-and-set.
 *
 *     (nothing) ──claim──▶ claimed ──decide──▶ decided
 *                            │  ▲                 ▲
 *                    release ▼  │ claim           │ decide
 *                           waiting ──cancel──▶ cancelled
 *
 * - A claim carries a lease that its owner renews; when it runs out, another may claim. Claiming is fencing: the token
 *   is the record's revision and only grows, and deciding needs the record to be the owner's own still.
 * - `decided` holds the exact bytes of what is to be told. Whoever finds it tells the same again and acknowledges.
 * - Failures are counted here, not deliveries: a drain, a crash or a wait uses up no attempt. Leases that ran out in a
 *   row are counted apart, so that a message which kills every process it meets comes to an end too.
 * - Where one process at a time owns the state (the embedded default), claims of a former owner are over at once.
 * - Cancelling takes the record from under whoever works: its next renewal, or its decision, fails with `Conflict`, and
 *   whoever claims next is told.
 */
import { ConfigurationError, Conflict, type TransientError } from "@armoricore/domain/Errors"
import { type Bucket, KeyValue, type StateError } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schema, Semaphore } from "effect"
import * as KeyedQueue from "./KeyedQueue.ts"
import * as Replays from "./Replays.ts"

/** Longer than a message can wait on the bus plus the horizon in which a dead letter may be replayed. */
export const ledgerBucket: Bucket = { name: "ledger", maxAge: Duration.days(30) }

/** A message that follows from a decision, exactly as it will be published. */
export const OutboundMessage = Schema.Struct({
  address: Schema.Union([
    Schema.Struct({ channel: Schema.Literal("event"), type: Schema.String }),
    Schema.Struct({ channel: Schema.Literal("work"), service: Schema.String, kind: Schema.String }),
  ]),
  id: Schema.String,
  body: Schema.String,
})
export type OutboundMessage = typeof OutboundMessage.Type

export const Decision = Schema.Struct({
  outbound: Schema.Array(OutboundMessage),
  /** Set when the message also becomes a dead letter. */
  deadLetter: Schema.optionalKey(Schema.Struct({ reason: Schema.String, message: Schema.String })),
})
export type Decision = typeof Decision.Type

const attemptFields = {
  /** Failed tries so far. */
  attempts: Schema.Int,
  /** Epoch milliseconds of the first claim. */
  firstAt: Schema.Finite,
}

const LedgerRecord = Schema.Union([
  Schema.Struct({
    status: Schema.Literal("leased"),
    owner: Schema.String,
    /** Of the store, where one process at a time owns it. */
    ownership: Schema.optionalKey(Schema.String),
    until: Schema.Finite,
    expiredLeases: Schema.optionalKey(Schema.Int),
    ...attemptFields,
  }),
  Schema.Struct({ status: Schema.Literal("waiting"), ...attemptFields }),
  Schema.Struct({ status: Schema.Literal("cancelled"), reason: Schema.String, ...attemptFields }),
  Schema.Struct({ status: Schema.Literal("decided"), at: Schema.Finite, ...attemptFields, decision: Decision }),
])
type LedgerRecord = typeof LedgerRecord.Type

const LedgerRecordJson = Schema.fromJsonString(LedgerRecord)
const decodeRecord = Schema.decodeUnknownEffect(LedgerRecordJson)

export interface Lease {
  /** Grows with each owner of this message. */
  readonly fencingToken: number
  /** Failed tries before this one. */
  readonly attempts: number
  readonly firstAt: number
  /** Owners before this one, in a row, whose lease ran out: they crashed, or were cut off. */
  readonly expiredLeases: number
  /** Why the job was cancelled: it must not be run, only be decided. */
  readonly cancelReason?: string
  /** Fails with `Conflict` when the lease was lost: the work of this claim must then be dropped. */
  readonly renew: Effect.Effect<void, Conflict | StateError>
  readonly decide: (decision: Decision, attempts: number) => Effect.Effect<void, Conflict | StateError>
  /** Gives the message back; `failed` counts the try. */
  readonly release: (options: { readonly countsAsAttempt: boolean }) => Effect.Effect<void, Conflict | StateError>
}

export type AcquireResult =
  | { readonly _tag: "Acquired"; readonly lease: Lease }
  | { readonly _tag: "Decided"; readonly decision: Decision; readonly attempts: number; readonly firstAt: number }
  /** Somebody else's lease is alive; look again after this time. */
  | { readonly _tag: "Leased"; readonly remaining: Duration.Duration }

export class Ledger extends Context.Service<
  Ledger,
  {
    readonly acquire: (
      key: string,
      owner: string,
      leaseDuration: Duration.Duration,
    ) => Effect.Effect<AcquireResult, TransientError | ConfigurationError>
    /** Forgets the record, so that a replay really runs again. */
    readonly remove: (key: string) => Effect.Effect<void, StateError>
    /** Whoever works on it loses it. False: too late, it is decided. Also what has not come yet can be cancelled. */
    readonly cancel: (key: string, reason: string) => Effect.Effect<boolean, Conflict | StateError>
    /** The order of messages with one key. */
    readonly keyedQueue: KeyedQueue.KeyedQueue
    /** What is sent again for one consumer alone. */
    readonly replays: Replays.Replays
  }
>()("@armoricore/worker/Ledger") {
  /** Records in the `ledger` bucket of the key-value state. */
  static readonly layer = Layer.effect(
    Ledger,
    Effect.gen(function* () {
      const kv = yield* KeyValue
      /** A claim under a former ownership of the store is of a process that has ended, whatever its lease says. */
      const isExpired = (record: Extract<LedgerRecord, { readonly status: "leased" }>, now: number) =>
        record.until <= now ||
        (kv.ownerId !== undefined && record.ownership !== undefined && record.ownership !== kv.ownerId)
      const ownership = kv.ownerId === undefined ? {} : { ownership: kv.ownerId }

      const write = (key: string, record: LedgerRecord, revision: number) =>
        kv.update(ledgerBucket, key, JSON.stringify(record), revision)

      const read = Effect.fnUntraced(function* (key: string) {
        const entry = yield* kv.get(ledgerBucket, key)
        if (Option.isNone(entry)) return undefined
        const record = yield* Effect.mapError(
          decodeRecord(entry.value.value),
          (error) =>
            new ConfigurationError({
              setting: `ledger record ${key}`,
              message: `the ledger record ${key} cannot be read: ${error.message}`,
            }),
        )
        return { record, revision: entry.value.revision }
      })

      const leaseOf = (
        key: string,
        owner: string,
        leaseDuration: Duration.Duration,
        before: AttemptHistory,
        fencingToken: number,
      ): Lease => {
        let current = fencingToken
        const writeLock = Semaphore.makeUnsafe(1)
        const { expiredLeases, cancelReason, ...kept } = before
        // One writer at a time: a renewal that overlaps the decision would take the revision from under it.
        const updateRecord = (record: (now: number) => LedgerRecord) =>
          writeLock.withPermits(1)(
            Effect.flatMap(Clock.currentTimeMillis, (now) =>
              Effect.map(write(key, record(now), current), (next) => void (current = next)),
            ),
          )
        return {
          fencingToken,
          expiredLeases,
          ...kept,
          ...(cancelReason === undefined ? {} : { cancelReason }),
          renew: updateRecord((now) => ({
            ...leasedRecord(owner, now + Duration.toMillis(leaseDuration), before),
            ...ownership,
          })),
          decide: (decision, attempts) =>
            updateRecord((now) => ({ status: "decided", at: now, ...kept, attempts, decision })),
          release: ({ countsAsAttempt }) =>
            updateRecord(() => ({ status: "waiting", ...kept, attempts: before.attempts + (countsAsAttempt ? 1 : 0) })),
        }
      }

      const acquire = (
        key: string,
        owner: string,
        leaseDuration: Duration.Duration,
      ): Effect.Effect<AcquireResult, StateError> =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const until = now + Duration.toMillis(leaseDuration)
          const fresh: AttemptHistory = { attempts: 0, firstAt: now, expiredLeases: 0 }
          // Nearly every message is new: try that first, one round trip instead of two.
          return Effect.matchEffect(
            kv.create(ledgerBucket, key, JSON.stringify({ ...leasedRecord(owner, until, fresh), ...ownership })),
            {
              onSuccess: (token): Effect.Effect<AcquireResult, StateError> =>
                Effect.succeed({ _tag: "Acquired", lease: leaseOf(key, owner, leaseDuration, fresh, token) }),
              onFailure: (error) =>
                error._tag === "Conflict" ? acquireExisting(key, owner, leaseDuration, now) : Effect.fail(error),
            },
          )
        })

      /** There is a record already: whose, and does it still count? */
      const acquireExisting = Effect.fnUntraced(function* (
        key: string,
        owner: string,
        leaseDuration: Duration.Duration,
        now: number,
      ): Effect.fn.Return<AcquireResult, StateError> {
        const until = now + Duration.toMillis(leaseDuration)
        const found = yield* read(key)
        // It expired between the two calls: somebody will create it anew, perhaps we.
        if (found === undefined) return { _tag: "Leased", remaining: Duration.millis(50) }
        const { record, revision } = found
        const { attempts, firstAt } = record
        switch (record.status) {
          case "decided":
            return { _tag: "Decided", decision: record.decision, attempts, firstAt }
          case "cancelled": {
            // Not written over: were this owner to crash, the cancellation would be gone. The first to decide wins.
            const before = { attempts, firstAt, expiredLeases: 0, cancelReason: record.reason }
            return { _tag: "Acquired", lease: leaseOf(key, owner, leaseDuration, before, revision) }
          }
          case "leased":
          case "waiting": {
            if (record.status === "leased" && !isExpired(record, now)) {
              return { _tag: "Leased", remaining: Duration.millis(record.until - now) }
            }
            const expiredLeases = record.status === "leased" ? (record.expiredLeases ?? 0) + 1 : 0
            const before: AttemptHistory = { attempts, firstAt, expiredLeases }
            const acquired = yield* noneOnConflict(
              write(key, { ...leasedRecord(owner, until, before), ...ownership }, revision),
            )
            return Option.isSome(acquired)
              ? { _tag: "Acquired", lease: leaseOf(key, owner, leaseDuration, before, acquired.value) }
              : { _tag: "Leased", remaining: leaseDuration }
          }
        }
      })

      const cancel = Effect.fnUntraced(function* (
        key: string,
        reason: string,
      ): Effect.fn.Return<boolean, Conflict | StateError> {
        // A running owner renews a few times a minute: another round finds the record at rest.
        for (let left = 16; ; left--) {
          const found = yield* read(key)
          if (found !== undefined && found.record.status === "decided") return false
          if (found !== undefined && found.record.status === "cancelled") return true
          const firstAt = found?.record.firstAt ?? (yield* Clock.currentTimeMillis)
          const record: LedgerRecord = { status: "cancelled", reason, attempts: found?.record.attempts ?? 0, firstAt }
          const written = yield* Effect.result(
            found === undefined
              ? kv.create(ledgerBucket, key, JSON.stringify(record))
              : write(key, record, found.revision),
          )
          if (Result.isSuccess(written)) return true
          if (written.failure._tag !== "Conflict" || left <= 1) return yield* written.failure
        }
      })

      return Ledger.of({
        acquire,
        cancel,
        remove: (key) => Effect.catchTag(kv.remove(ledgerBucket, key), "Conflict", Effect.die),
        replays: Replays.make(ledgerBucket, kv),
        keyedQueue: yield* KeyedQueue.make(ledgerBucket, (key) =>
          Effect.gen(function* () {
            const found = yield* read(key)
            return found?.record.status === "leased" && !isExpired(found.record, yield* Clock.currentTimeMillis)
          }),
        ),
      })
    }),
  )
}

interface AttemptHistory {
  readonly attempts: number
  readonly firstAt: number
  readonly expiredLeases: number
  readonly cancelReason?: string
}

const leasedRecord = (
  owner: string,
  until: number,
  { expiredLeases, attempts, firstAt }: AttemptHistory,
): LedgerRecord => ({
  status: "leased",
  owner,
  until,
  ...(expiredLeases === 0 ? {} : { expiredLeases }),
  attempts,
  firstAt,
})

const noneOnConflict = <A, E>(effect: Effect.Effect<A, E | Conflict>) =>
  effect.pipe(
    Effect.map(Option.some),
    Effect.catchIf(
      (error): error is Extract<E | Conflict, Conflict> => isConflict(error),
      () => Effect.succeed(Option.none<A>()),
    ),
  )

const isConflict = Schema.is(Conflict)
