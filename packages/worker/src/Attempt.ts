/** What the end of one try means: which results are decided, or when the message is tried again. */
import { type Conflict, TransientError } from "@armoricore/domain/Errors"
import { Cause, Clock, type Context, Duration, Effect, Exit, Fiber, Option, Result } from "effect"
import type { HandlerError, DecodedMessage } from "./Handler.ts"
import type { Decision } from "./ledger/Ledger.ts"
import type { ResultMessage } from "./ResultMessage.ts"
import { retryDelay, type RetryPolicy } from "./RetryPolicy.ts"
import * as Metrics from "./WorkerMetrics.ts"

export type AttemptResult =
  /** Final: `outcomes` are told, and with `letter` the message becomes a dead letter too. */
  | {
      readonly _tag: "Final"
      readonly result: "succeeded" | "failed" | "exhausted" | "cancelled"
      readonly messages: ReadonlyArray<ResultMessage>
      readonly attempts: number
      readonly deadLetter?: NonNullable<Decision["deadLetter"]>
    }
  /** `failed`: the try counts. */
  | { readonly _tag: "Again"; readonly after: Duration.Duration; readonly countsAsAttempt: boolean }

export interface AttemptOptions {
  readonly service: string
  readonly policy: RetryPolicy
  readonly misconfigurationDelay: Duration.Duration
  /** Failed tries before this one. */
  readonly attempts: number
}

type FailureMapper = Pick<DecodedMessage<never>, "type" | "onFailure">

/**
 * Work that is done at once, as much is, needs neither clock nor watch: it starts in place, and only what is left of it
 * runs `under` what costs fibers. However that ends, the work has ended then too.
 */
export const runInline = <A, E, R, E2, R2>(
  work: Effect.Effect<A, E, R>,
  under: (rest: Effect.Effect<A, E>) => Effect.Effect<A, E2, R2>,
): Effect.Effect<A, E | E2, R | R2> =>
  Exit.isExit(work)
    ? work
    : Effect.contextWith((context: Context.Context<R>) =>
        Effect.uninterruptibleMask((restore): Effect.Effect<A, E | E2, R2> => {
          const fiber = Effect.runForkWith(context)(work)
          return fiber.pollUnsafe() ?? Effect.ensuring(restore(under(Fiber.join(fiber))), Fiber.interrupt(fiber))
        }),
      )

/** One try's limit; over it the try counts as a transient failure. */
export const withTimeout =
  (service: string, limit: Duration.Duration) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | TransientError, R> =>
    Effect.timeoutOrElse(work, {
      duration: limit,
      orElse: () =>
        Effect.fail(
          new TransientError({
            dependency: service,
            code: "timeout",
            message: `the work took longer than ${Duration.format(limit)}`,
          }),
        ),
    })

export const classify = (
  options: AttemptOptions,
  incoming: FailureMapper,
  exit: Exit.Exit<ReadonlyArray<ResultMessage>, HandlerError | Conflict>,
): Effect.Effect<AttemptResult, Conflict> =>
  Exit.isSuccess(exit)
    ? Effect.succeed({ _tag: "Final", result: "succeeded", messages: exit.value, attempts: options.attempts + 1 })
    : classifyFailure(options, incoming, exit.cause)

const classifyFailure = Effect.fnUntraced(function* (
  { attempts, misconfigurationDelay, policy, service }: AttemptOptions,
  incoming: FailureMapper,
  cause: Cause.Cause<HandlerError | Conflict>,
): Effect.fn.Return<AttemptResult, Conflict> {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.interrupt
  const error = Option.getOrElse(
    Cause.findErrorOption(cause),
    () =>
      new TransientError({
        dependency: service,
        code: "internal_error",
        message: "an unexpected fault in the service",
        cause: Cause.squash(cause),
      }),
  )
  const { type } = incoming
  switch (error._tag) {
    case "Conflict":
      return yield* error
    case "PermanentError": {
      yield* Effect.logInfo(`failed for good: ${error.message}`, { code: error.code })
      return yield* failureResult("failed", incoming, error, attempts + 1)
    }
    case "ConfigurationError": {
      yield* Effect.logError(`configuration fault: ${error.message}`, { setting: error.setting })
      yield* Metrics.increment(Metrics.retried, service, { type, reason: "configuration" })
      return { _tag: "Again", after: misconfigurationDelay, countsAsAttempt: false }
    }
    case "TransientError": {
      if (error.waiting === true) {
        yield* Metrics.increment(Metrics.retried, service, { type, reason: error.code })
        return { _tag: "Again", after: yield* retryDelay(policy, 1, error.retryAfterMillis), countsAsAttempt: false }
      }
      const failures = attempts + 1
      const known = Result.isSuccess(Cause.findError(cause))
      yield* Effect.logWarning(`try ${failures} of ${policy.maxAttempts} failed: ${error.message}`, {
        dependency: error.dependency,
        code: error.code,
        ...(known ? {} : { cause: Cause.pretty(cause) }),
      })
      if (failures >= policy.maxAttempts) return yield* exhausted(incoming, error, failures)
      yield* Metrics.increment(Metrics.retried, service, { type, reason: error.code })
      return {
        _tag: "Again",
        after: yield* retryDelay(policy, failures, error.retryAfterMillis),
        countsAsAttempt: true,
      }
    }
  }
})

interface FailureReason {
  readonly code: string
  readonly message: string
}

const failureResult = (
  result: Extract<AttemptResult, { readonly _tag: "Final" }>["result"],
  incoming: FailureMapper,
  { code, message }: FailureReason,
  attempts: number,
): Effect.Effect<Extract<AttemptResult, { readonly _tag: "Final" }>> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    _tag: "Final",
    result,
    messages: incoming.onFailure({ code, message }, new Date(now).toISOString()),
    attempts,
  }))

/** Its tries are used up: told as failed, and kept as a dead letter. */
export const exhausted = (
  incoming: FailureMapper,
  { code, message }: FailureReason,
  attempts: number,
): Effect.Effect<AttemptResult> =>
  Effect.map(failureResult("exhausted", incoming, { code, message }, attempts), (end) => ({
    ...end,
    deadLetter: { reason: code, message },
  }))

/** An operator, or the user, does not want it any more. */
export const cancelled = (incoming: FailureMapper, reason: string, attempts: number): Effect.Effect<AttemptResult> =>
  failureResult("cancelled", incoming, { code: "cancelled", message: reason }, attempts)
