/**
 * Limits how much each user may upload. The composition root chooses the policy. The pipeline charges an upload after it
 * has measured size and length itself, so clients cannot understate them.
 */
import { encodeId } from "@armoricore/domain/EncodedId"
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import { KeyValue } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { failure } from "./Failures.ts"

export interface Charge {
  /** Repeated charges for the same event count once. */
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
  /** Records the charge, or fails with `quota_exceeded` if it would exceed the user's limits. */
  readonly charge: (
    userId: string,
    charge: Charge,
  ) => Effect.Effect<void, TransientError | PermanentError | ConfigurationError>
}

export class Quota extends Context.Service<Quota, QuotaPolicy>()("@armoricore/media/Quota") {
  /** No limits. */
  static readonly layerNoop: Layer.Layer<Quota> = Layer.succeed(Quota, { charge: () => Effect.void })

  /** Limits per user and UTC day. */
  static readonly layerDaily = (limits: DailyLimits): Layer.Layer<Quota, never, KeyValue> =>
    Layer.effect(Quota, makeDaily(limits))
}

const makeDaily = Effect.fnUntraced(function* (limits: DailyLimits) {
  const usages = yield* Collection.make(quotaUsages)
  const exceedsLimits = (charges: ReadonlyArray<Pick<Charge, "bytes" | "seconds">>): boolean => {
    const sum = (unit: "bytes" | "seconds") => charges.reduce((total, charge) => total + charge[unit], 0)
    return charges.length > limits.uploads || sum("bytes") > limits.bytes || sum("seconds") > limits.seconds
  }
  return Quota.of({
    charge: Effect.fn("Quota.charge")(function* (userId, { bytes, eventId, seconds }) {
      const isExceeded = yield* usages.modifyOrRetry(encodeId(userId), (current) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const day = new Date(now).toISOString().slice(0, 10)
          const usage = Option.getOrUndefined(current)?.value
          const today = usage?.day === day ? usage.charges : {}
          if (today[eventId] !== undefined) return [false, Option.none()] as const
          const charges = { ...today, [eventId]: { bytes, seconds } }
          return exceedsLimits(Object.values(charges))
            ? ([true, Option.none()] as const)
            : ([false, Option.some({ day, charges })] as const)
        }),
      )
      if (isExceeded) return yield* failure("quota_exceeded")
    }),
  })
})

const QuotaUsage = Schema.Struct({
  /** The UTC day as `YYYY-MM-DD`. */
  day: Schema.String,
  /** Charges by event id. */
  charges: Schema.Record(Schema.String, Schema.Struct({ bytes: Schema.Finite, seconds: Schema.Finite })),
})

/** One document per user. */
export const quotaUsages = { bucket: { name: "media_usage", maxAge: Duration.days(3) }, schema: QuotaUsage }
