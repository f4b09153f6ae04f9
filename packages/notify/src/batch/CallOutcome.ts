/** The outcome of a call whose target has no state document of its own. */
import type { ConfigurationError, Conflict } from "@armoricore/domain/Errors"
import type { NotificationChannel, PushBatchState } from "@armoricore/domain/NotificationState"
import { retryDelay, type RetryPolicy } from "@armoricore/worker/RetryPolicy"
import { Cause, Clock, Duration, Effect, Exit, Option } from "effect"
import * as Metrics from "../NotifyMetrics.ts"
import type { Accepted } from "../provider/Provider.ts"
import type { CallError, Unavailable } from "../provider/ProviderCircuit.ts"

/** `requested`: the target is tried again, not before `not_before`. */
export type CallOutcome = Omit<PushBatchState["outcomes"][number], "index">

/** A lone push stores its notification within the call. */
export type CallExit = Exit.Exit<Accepted | Unavailable, CallError | ConfigurationError | Conflict>

export interface EndedCall {
  readonly channel: NotificationChannel
  readonly provider: string
  readonly exit: CallExit
}

/** `failedAttempts`: before this call. */
export const of = Effect.fnUntraced(function* (
  { channel, exit, provider }: EndedCall,
  retry: RetryPolicy,
  failedAttempts = 0,
): Effect.fn.Return<CallOutcome> {
  if (Exit.isSuccess(exit) && !("_tag" in exit.value)) {
    const { providerId: provider_id } = exit.value
    return { status: "sent", provider, ...(provider_id === undefined ? {} : { provider_id }) }
  }
  const now = yield* Clock.currentTimeMillis
  const later = (afterMillis: number): CallOutcome => ({ status: "requested", provider, not_before: now + afterMillis })
  /** A failed attempt, with the earliest time of the next one. */
  const failedAttempt = (retryAfterMillis?: number) =>
    Effect.map(retryDelay(retry, failedAttempts + 1, retryAfterMillis), (delay) => ({
      ...later(Duration.toMillis(delay)),
      counts_as_attempt: true as const,
    }))
  if (Exit.isSuccess(exit)) return later("waitMillis" in exit.value ? exit.value.waitMillis : 0)
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  switch (error?._tag) {
    case "InvalidTarget": {
      const { reason, invalidSince } = error
      const dead = { target_invalid: true, ...(invalidSince === undefined ? {} : { invalid_since: invalidSince }) }
      return { status: "failed", provider, reason, ...dead }
    }
    case "PermanentError":
      return { status: "failed", provider, reason: error.code }
    case "UnknownOutcome": {
      yield* Metrics.increment(Metrics.unknownOutcomes, { channel })
      yield* Metrics.increment(Metrics.resends, { channel })
      return yield* failedAttempt()
    }
    case "TransientError":
      return error.countsAsAttempt === false
        ? later(error.retryAfterMillis ?? 0)
        : yield* failedAttempt(error.retryAfterMillis)
    default:
      // A defect in this code. The next call counts the attempt.
      yield* Effect.logError("A provider call ended with a defect", exit.cause)
      return yield* failedAttempt()
  }
})
