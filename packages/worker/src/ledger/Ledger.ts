/**
 * The ledger: one record per consumer and message, changed by compare-and-set. It says which worker has the lease on a
 * message, and which decision was made.
 *
 *     (no record) ──acquire──▶ leased ──decide──▶ decided
 *                              │  ▲                 ▲
 *                      release ▼  │ acquire         │ decide
 *                             waiting ──cancel──▶ cancelled
 *
 * - A handler that claims its message by a write of its own needs no record before it ends: `acquireLater`.
 * - The owner of a lease renews it. After it expires, another worker may acquire the message. The fencing token is the
 *   revision of the record, so it only grows, and `decide` needs the record to be unchanged since.
 * - A `decided` record holds the exact bytes of the results. A later delivery publishes the same bytes and acks.
 * - The ledger counts failures, not deliveries: a drain, a crash or a snooze uses up no attempt. Expired leases in a row
 *   are counted separately, so that a message which crashes every worker ends as a dead letter.
 * - Where the store has one owner process (the embedded engine), leases of a former owner expire at once.
 * - `cancel` overwrites the record of a running job. The next renewal or decision of its owner fails with `Conflict`, and
 *   the next worker that acquires the message publishes the cancellation.
 */
import { ConfigurationError, Conflict, type TransientError } from "@armoricore/domain/Errors"
import { type Bucket, KeyValue, type StateError, writeAll } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schema, Semaphore } from "effect"
import * as KeyedQueue from "./KeyedQueue.ts"
import * as Replays from "./Replays.ts"

/** Longer than the retention of the bus plus the time within which operators replay dead letters. */
export const ledgerBucket: Bucket = { name: "ledger", maxAge: Duration.days(30) }

/** A result message, exactly as it will be published. */
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
  /** Present if the message becomes a dead letter as well. */
  deadLetter: Schema.optionalKey(
    Schema.Struct({
      reason: Schema.String,
      message: Schema.String,
      /** The dotted path of the field at fault, if it is one. */
      path: Schema.optionalKey(Schema.String),
    }),
  ),
})
export type Decision = typeof Decision.Type

const attemptFields = {
  /** Failed attempts so far. */
  attempts: Schema.Int,
  /** When the message was first acquired, epoch milliseconds. */
  firstAt: Schema.Finite,
}

const LedgerRecord = Schema.Union([
  Schema.Struct({
    status: Schema.Literal("leased"),
    owner: Schema.String,
    /** Id of the process that owned the store, where the store has one owner. */
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

export interface NewDecision {
  readonly key: string
  /** When the message was received, epoch milliseconds. */
  readonly firstAt: number
  readonly decision: Decision
}

export interface Lease {
  /** Grows with each owner of the message. */
  readonly fencingToken: number
  /** Failed attempts before this one. */
  readonly attempts: number
  readonly firstAt: number
  /** Previous owners in a row whose lease expired, because they crashed or lost the store. */
  readonly expiredLeases: number
  /** Present if the job was cancelled: the worker must decide the cancellation and not run the handler. */
  readonly cancelReason?: string
  /** Fails with `Conflict` if the lease was lost. The worker must then drop its work. */
  readonly renew: Effect.Effect<void, Conflict | StateError>
  readonly decide: (decision: Decision, attempts: number) => Effect.Effect<void, Conflict | StateError>
  readonly release: (options: { readonly countsAsAttempt: boolean }) => Effect.Effect<void, Conflict | StateError>
}

export type AcquireResult =
  | { readonly _tag: "Acquired"; readonly lease: Lease }
  | { readonly _tag: "Decided"; readonly decision: Decision; readonly attempts: number; readonly firstAt: number }
  /** Another worker has the lease, for this time unless it renews. */
  | { readonly _tag: "Leased"; readonly remaining: Duration.Duration }

export class Ledger extends Context.Service<
  Ledger,
  {
    readonly acquire: (
      key: string,
      owner: string,
      leaseDuration: Duration.Duration,
    ) => Effect.Effect<AcquireResult, TransientError | ConfigurationError>
    /**
     * A lease on a new message whose first write creates the record: a renewal, a release or the decision. That write fails
     * with `Conflict` if the message has a record by then. The fencing token is 0.
     */
    readonly acquireLater: (key: string, owner: string, leaseDuration: Duration.Duration) => Effect.Effect<Lease>
    /**
     * Stores the decisions of messages that were handled at their first attempt without a lease. Returns, in the order of
     * the messages, whether each is stored: false if the message has a record.
     */
    readonly decideNew: (messages: ReadonlyArray<NewDecision>) => Effect.Effect<ReadonlyArray<boolean>, StateError>
    /** Deletes the record, so that a replay runs the handler again. */
    readonly remove: (key: string) => Effect.Effect<void, StateError>
    /** Deletes the record if its decision made a dead letter. */
    readonly removeDeadLettered: (key: string) => Effect.Effect<void, StateError>
    /** Takes the lease from its owner. False if the message is decided already. A message may be cancelled before it arrives. */
    readonly cancel: (key: string, reason: string) => Effect.Effect<boolean, Conflict | StateError>
    /** Orders messages with the same partition key. */
    readonly keyedQueue: KeyedQueue.KeyedQueue
    /** Messages that were replayed for one consumer only. */
    readonly replays: Replays.Replays
  }
>()("@armoricore/worker/Ledger") {
  /** Records in the `ledger` bucket of the key-value state. */
  static readonly layer = Layer.effect(
    Ledger,
    Effect.gen(function* () {
      const kv = yield* KeyValue
      /** A lease from before a change of the store's owner belongs to a process that has ended. */
      const isExpired = (record: Extract<LedgerRecord, { readonly status: "leased" }>, now: number) =>
        record.until <= now ||
        (kv.ownerId !== undefined && record.ownership !== undefined && record.ownership !== kv.ownerId)
      const ownership = kv.ownerId === undefined ? {} : { ownership: kv.ownerId }

      const write = (key: string, record: LedgerRecord, revision: number) =>
        revision === noRecord
          ? kv.create(ledgerBucket, key, JSON.stringify(record))
          : kv.update(ledgerBucket, key, JSON.stringify(record), revision)

      const read = Effect.fnUntraced(function* (key: string) {
        const entry = yield* kv.get(ledgerBucket, key)
        if (Option.isNone(entry)) return undefined
        const record = yield* Effect.mapError(
          decodeRecord(entry.value.value),
          (error) =>
            new ConfigurationError({
              setting: `ledger record ${key}`,
              message: `the ledger record ${key} does not decode: ${error.message}`,
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
        const { expiredLeases, cancelReason, ...history } = before
        // A renewal during a decision would change the revision and fail the decision, so writes take turns.
        const updateRecord = (record: (now: number) => LedgerRecord) =>
          writeLock.withPermits(1)(
            Effect.flatMap(Clock.currentTimeMillis, (now) =>
              Effect.map(write(key, record(now), current), (next) => void (current = next)),
            ),
          )
        return {
          fencingToken,
          expiredLeases,
          ...history,
          ...(cancelReason === undefined ? {} : { cancelReason }),
          renew: updateRecord((now) => ({
            ...leasedRecord(owner, now + Duration.toMillis(leaseDuration), before),
            ...ownership,
          })),
          decide: (decision, attempts) =>
            updateRecord((now) => ({ status: "decided", at: now, ...history, attempts, decision })),
          release: ({ countsAsAttempt }) =>
            updateRecord(() => ({
              status: "waiting",
              ...history,
              attempts: before.attempts + (countsAsAttempt ? 1 : 0),
            })),
        }
      }

      // Hot path: each message is acquired and decided, inside the span of its consumer. So `acquire`, `acquireLater` and the
      // writes of a lease are untraced; the rare actions below have spans.
      const acquire = (
        key: string,
        owner: string,
        leaseDuration: Duration.Duration,
      ): Effect.Effect<AcquireResult, StateError> =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const until = now + Duration.toMillis(leaseDuration)
          const fresh: AttemptHistory = { attempts: 0, firstAt: now, expiredLeases: 0 }
          // Nearly every message is new, so creating first saves a round trip.
          return Effect.matchEffect(
            kv.create(ledgerBucket, key, JSON.stringify({ ...leasedRecord(owner, until, fresh), ...ownership })),
            {
              onSuccess: (fencingToken): Effect.Effect<AcquireResult, StateError> =>
                Effect.succeed({ _tag: "Acquired", lease: leaseOf(key, owner, leaseDuration, fresh, fencingToken) }),
              onFailure: (error) =>
                error._tag === "Conflict" ? acquireExisting(key, owner, leaseDuration, now) : Effect.fail(error),
            },
          )
        })

      /** Acquires a message that has a record already. */
      const acquireExisting = Effect.fnUntraced(function* (
        key: string,
        owner: string,
        leaseDuration: Duration.Duration,
        now: number,
      ): Effect.fn.Return<AcquireResult, StateError> {
        const until = now + Duration.toMillis(leaseDuration)
        const found = yield* read(key)
        // The record expired between the two calls; the next delivery creates it again.
        if (found === undefined) return { _tag: "Leased", remaining: recreateDelay }
        const { record, revision } = found
        const { attempts, firstAt } = record
        switch (record.status) {
          case "decided":
            return { _tag: "Decided", decision: record.decision, attempts, firstAt }
          case "cancelled": {
            // The record stays, because a crash of this owner must not lose the cancellation. The first decision wins.
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

      const cancel = Effect.fn("Ledger.cancel")(function* (
        key: string,
        reason: string,
      ): Effect.fn.Return<boolean, Conflict | StateError> {
        // Only a renewal, a few times per minute, can conflict.
        for (let attemptsLeft = maxCancelAttempts; ; attemptsLeft--) {
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
          if (written.failure._tag !== "Conflict" || attemptsLeft <= 1) return yield* written.failure
        }
      })

      return Ledger.of({
        acquire,
        acquireLater: (key, owner, leaseDuration) =>
          Effect.map(Clock.currentTimeMillis, (now) =>
            leaseOf(key, owner, leaseDuration, { attempts: 0, firstAt: now, expiredLeases: 0 }, noRecord),
          ),
        decideNew: (messages) =>
          Effect.flatMap(Clock.currentTimeMillis, (at) =>
            Effect.map(
              writeAll(
                kv,
                ledgerBucket,
                messages.map(({ decision, firstAt, key }) => {
                  const record: LedgerRecord = { status: "decided", at, attempts: 1, firstAt, decision }
                  return { key, value: JSON.stringify(record), revision: noRecord }
                }),
              ),
              (revisions) => revisions.map((revision) => revision !== undefined),
            ),
          ),
        cancel,
        removeDeadLettered: Effect.fn("Ledger.removeDeadLettered")(function* (key) {
          const found = yield* read(key)
          if (found?.record.status === "decided" && found.record.decision.deadLetter !== undefined)
            yield* Effect.catchTag(kv.remove(ledgerBucket, key), "Conflict", Effect.die)
        }),
        remove: Effect.fn("Ledger.remove")(function* (key) {
          yield* Effect.catchTag(kv.remove(ledgerBucket, key), "Conflict", Effect.die)
        }),
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

/** The revision of a record that does not exist. Revisions of stored records are positive. */
const noRecord = 0

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

const maxCancelAttempts = 16
/** When another worker may have created a record that expired here. */
const recreateDelay = Duration.millis(50)
