/**
 * What one user may have made: a policy of the composition root. The worker asks it once it knows how large an upload
 * really is, so that no claim of a client counts.
 */
import { type ConfigurationError, type PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import { KeyValue } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { failure } from "./Failures.ts"

export interface Charge {
  /** The same event is charged once, however often it is tried. */
  readonly eventId: string
  readonly bytes: number
  readonly seconds: number
}

export interface DailyLimits {
  readonly uploads: number
  readonly bytes: number
  readonly seconds: number
}

export interface QuotaPolicy {
  /** Fails with `quota_exceeded` where the user has had enough; the charge is kept otherwise. */
  readonly charge: (
    userId: string,
    charge: Charge,
  ) => Effect.Effect<void, TransientError | PermanentError | ConfigurationError>
}

/** Nobody is limited unless a Layer says otherwise. */
export const Quota = Context.Reference<QuotaPolicy>("@armoricore/media/Quota", {
  defaultValue: () => ({ charge: () => Effect.void }),
})

/** So much a user and day (UTC). */
export const layerDaily = (limits: DailyLimits): Layer.Layer<never, never, KeyValue> =>
  Layer.effect(
    Quota,
    Effect.map(Collection.make(quotaUsages), (collection) => ({
      charge: Effect.fn("Quota.charge")(function* (userId, { bytes, eventId, seconds }) {
        const isOver = yield* collection.modifyOrRetry(userId, (current) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const day = new Date(now).toISOString().slice(0, 10)
            const known = Option.getOrUndefined(current)?.value
            const today = known?.day === day ? known.charges : {}
            if (today[eventId] !== undefined) return [false, Option.none()] as const
            const charges = { ...today, [eventId]: { bytes, seconds } }
            const all = Object.values(charges)
            const sum = (of: "bytes" | "seconds") => all.reduce((total, one) => total + one[of], 0)
            const over = all.length > limits.uploads || sum("bytes") > limits.bytes || sum("seconds") > limits.seconds
            return over ? ([true, Option.none()] as const) : ([false, Option.some({ day, charges })] as const)
          }),
        )
        if (isOver) return yield* failure("quota_exceeded")
      }),
    })),
  )

const QuotaUsage = Schema.Struct({
  /** UTC, as RFC 3339 writes it. */
  day: Schema.String,
  /** By the event's id. */
  charges: Schema.Record(Schema.String, Schema.Struct({ bytes: Schema.Finite, seconds: Schema.Finite })),
})

/** Where the charges are kept. */
export const quotaUsages = { bucket: { name: "media_usage", maxAge: Duration.days(3) }, schema: QuotaUsage }
