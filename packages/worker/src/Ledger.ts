/**
 * Who works on what, and what was decided: one record per consumer and message, moved by compare-and-set.
 *
 *     (nothing) ──claim──▶ claimed ──decide──▶ decided
 *                            │  ▲
 *                    release ▼  │ claim
 *                           waiting
 *
 * - A claim carries a lease that its owner renews; when it runs out, another may claim. Claiming is fencing: the token
 *   is the record's revision and only grows, and deciding needs the record to be the owner's own still.
 * - `decided` holds the exact bytes of what is to be told. Whoever finds it tells the same again and acknowledges.
 * - Failures are counted here, not deliveries: a drain, a crash or a wait uses up no attempt.
 */
import { ConfigurationError, type Conflict, type TransientError } from "@armoricore/domain/Errors"
import { type Bucket, KeyValue, type StateError } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Option, Ref, Schema, Semaphore } from "effect"

/** Longer than a message can wait on the bus plus the horizon in which a dead letter may be replayed. */
export const ledgerBucket: Bucket = { name: "ledger", maxAge: Duration.days(30) }

/** A message that follows from a decision, exactly as it will be published. */
export const Outbound = Schema.Struct({
  address: Schema.Union([
    Schema.Struct({ channel: Schema.Literal("event"), type: Schema.String }),
    Schema.Struct({ channel: Schema.Literal("work"), service: Schema.String, kind: Schema.String }),
  ]),
  id: Schema.String,
  body: Schema.String,
})
export type Outbound = typeof Outbound.Type

export const Decision = Schema.Struct({
  outbound: Schema.Array(Outbound),
  /** Set when the message also becomes a dead letter. */
  deadLetter: Schema.optionalKey(Schema.Struct({ reason: Schema.String, message: Schema.String })),
})
export type Decision = typeof Decision.Type

const progress = {
  /** Failed tries so far. */
  attempts: Schema.Int,
  /** Epoch milliseconds of the first claim. */
  firstAt: Schema.Finite,
}

const LedgerRecord = Schema.Union([
  Schema.Struct({ status: Schema.Literal("claimed"), owner: Schema.String, until: Schema.Finite, ...progress }),
  Schema.Struct({ status: Schema.Literal("waiting"), ...progress }),
  Schema.Struct({ status: Schema.Literal("decided"), at: Schema.Finite, ...progress, decision: Decision }),
])
type LedgerRecord = typeof LedgerRecord.Type

const RecordText = Schema.fromJsonString(LedgerRecord)
const decodeRecord = Schema.decodeUnknownEffect(RecordText)

export interface Claim {
  /** Grows with each owner of this message. */
  readonly token: number
  /** Failed tries before this one. */
  readonly attempts: number
  readonly firstAt: number
  /** Fails with `Conflict` when the lease was lost: the work of this claim must then be dropped. */
  readonly renew: Effect.Effect<void, Conflict | StateError>
  readonly decide: (decision: Decision, attempts: number) => Effect.Effect<void, Conflict | StateError>
  /** Gives the message back; `failed` counts the try. */
  readonly release: (options: { readonly failed: boolean }) => Effect.Effect<void, Conflict | StateError>
}

export type ClaimResult =
  | { readonly _tag: "Claimed"; readonly claim: Claim }
  | { readonly _tag: "Decided"; readonly decision: Decision; readonly attempts: number; readonly firstAt: number }
  /** Somebody else's lease is alive; look again after this time. */
  | { readonly _tag: "Held"; readonly remaining: Duration.Duration }

export class Ledger extends Context.Service<
  Ledger,
  {
    readonly claim: (
      key: string,
      owner: string,
      lease: Duration.Duration,
    ) => Effect.Effect<ClaimResult, TransientError | ConfigurationError>
    /** Forgets the record, so that a replay really runs again. */
    readonly forget: (key: string) => Effect.Effect<void, StateError>
  }
>()("@armoricore/worker/Ledger") {
  /** Records in the `ledger` bucket of the key-value state. */
  static readonly layer = Layer.effect(
    Ledger,
    Effect.gen(function* () {
      const kv = yield* KeyValue

      const write = (key: string, record: LedgerRecord, revision: number) =>
        kv.update(ledgerBucket, key, JSON.stringify(record), revision)

      const claimOf = Effect.fnUntraced(function* (
        key: string,
        owner: string,
        lease: Duration.Duration,
        before: { readonly attempts: number; readonly firstAt: number },
        token: number,
      ) {
        const current = yield* Ref.make(token)
        const turn = yield* Semaphore.make(1)
        // One writer at a time: a renewal that overlaps the decision would take the revision from under it.
        const move = (record: (now: number) => LedgerRecord) =>
          turn.withPermits(1)(
            Effect.gen(function* () {
              const now = yield* Clock.currentTimeMillis
              const next = yield* write(key, record(now), yield* Ref.get(current))
              yield* Ref.set(current, next)
            }),
          )
        const claim: Claim = {
          token,
          attempts: before.attempts,
          firstAt: before.firstAt,
          renew: move((now) => ({
            status: "claimed",
            owner,
            until: now + Duration.toMillis(lease),
            attempts: before.attempts,
            firstAt: before.firstAt,
          })),
          decide: (decision, attempts) =>
            move((now) => ({ status: "decided", at: now, attempts, firstAt: before.firstAt, decision })),
          release: ({ failed }) =>
            move(() => ({
              status: "waiting",
              attempts: before.attempts + (failed ? 1 : 0),
              firstAt: before.firstAt,
            })),
        }
        return { _tag: "Claimed", claim } as const
      })

      const claim: (
        key: string,
        owner: string,
        lease: Duration.Duration,
      ) => Effect.Effect<ClaimResult, TransientError | ConfigurationError> = Effect.fnUntraced(
        function* (key, owner, lease) {
          const now = yield* Clock.currentTimeMillis
          const fresh = { attempts: 0, firstAt: now }
          const claimed = (before: typeof fresh): LedgerRecord => ({
            status: "claimed",
            owner,
            until: now + Duration.toMillis(lease),
            ...before,
          })
          // Nearly every message is new: try that first, one round trip instead of two.
          const created = yield* kv.create(ledgerBucket, key, JSON.stringify(claimed(fresh))).pipe(
            Effect.map(Option.some),
            Effect.catchTag("Conflict", () => Effect.succeed(Option.none<number>())),
          )
          if (Option.isSome(created)) return yield* claimOf(key, owner, lease, fresh, created.value)

          const entry = yield* kv.get(ledgerBucket, key)
          // It expired between the two calls: somebody will create it anew, perhaps we.
          if (Option.isNone(entry)) return { _tag: "Held", remaining: Duration.millis(50) }
          const record = yield* decodeRecord(entry.value.value).pipe(
            Effect.mapError(
              (error) =>
                new ConfigurationError({
                  setting: `ledger record ${key}`,
                  message: `the ledger record ${key} cannot be read: ${error.message}`,
                }),
            ),
          )
          if (record.status === "decided") {
            return { _tag: "Decided", decision: record.decision, attempts: record.attempts, firstAt: record.firstAt }
          }
          if (record.status === "claimed" && record.until > now) {
            return { _tag: "Held", remaining: Duration.millis(record.until - now) }
          }
          const before = { attempts: record.attempts, firstAt: record.firstAt }
          const taken = yield* write(key, claimed(before), entry.value.revision).pipe(
            Effect.map(Option.some),
            Effect.catchTag("Conflict", () => Effect.succeed(Option.none<number>())),
          )
          return Option.isSome(taken)
            ? yield* claimOf(key, owner, lease, before, taken.value)
            : { _tag: "Held", remaining: lease }
        },
      )

      return Ledger.of({
        claim,
        forget: (key) => Effect.catchTag(kv.remove(ledgerBucket, key), "Conflict", Effect.die),
      })
    }),
  )
}
