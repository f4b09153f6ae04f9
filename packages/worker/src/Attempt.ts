/** What the end of one try means: which results are decided, or when the message is tried again. */
import { type Conflict, TransientError } from "@armoricore/domain/Errors"
import { Cause, Clock, type Context, Duration, Effect, Exit, Fiber, Option, Result } from "effect"
import type { HandlerError, Incoming } from "./Handler.ts"
import type { Decision } from "./Ledger.ts"
import type { Outcome } from "./Outcome.ts"
import { delayAfter, type RetryPolicy } from "./Retry.ts"
import * as Metrics from "./WorkerMetrics.ts"

export type End =
  /** Final: `outcomes` are told, and with `letter` the message becomes a dead letter too. */
  | {
      readonly _tag: "Final"
      readonly result: "succeeded" | "failed" | "exhausted" | "cancelled"
      readonly outcomes: ReadonlyArray<Outcome>
      readonly attempts: number
      readonly letter?: NonNullable<Decision["deadLetter"]>
    }
  /** `failed`: the try counts. */
  | { readonly _tag: "Again"; readonly after: Duration.Duration; readonly failed: boolean }

export interface Rules {
  readonly service: string
  readonly policy: RetryPolicy
  readonly configurationPause: Duration.Duration
  /** Failed tries before this one. */
  readonly attempts: number
}

type Failable = Pick<Incoming<never>, "type" | "failed">

/**
 * Work that is done at once, as much is, needs neither clock nor watch: it starts in place, and only what is left of it
 * runs `under` what costs fibers. However that ends, the work has ended then too.
 */
export const inPlace = <A, E, R, E2, R2>(
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
export const limited =
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

export const judge = (
  rules: Rules,
  incoming: Failable,
  exit: Exit.Exit<ReadonlyArray<Outcome>, HandlerError | Conflict>,
): Effect.Effect<End, Conflict> =>
  Exit.isSuccess(exit)
    ? Effect.succeed({ _tag: "Final", result: "succeeded", outcomes: exit.value, attempts: rules.attempts + 1 })
    : judgeFault(rules, incoming, exit.cause)

const judgeFault = Effect.fnUntraced(function* (
  { attempts, configurationPause, policy, service }: Rules,
  incoming: Failable,
  cause: Cause.Cause<HandlerError | Conflict>,
): Effect.fn.Return<End, Conflict> {
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
      return yield* failed("failed", incoming, error, attempts + 1)
    }
    case "ConfigurationError": {
      yield* Effect.logError(`configuration fault: ${error.message}`, { setting: error.setting })
      yield* Metrics.count(Metrics.retried, service, { type, reason: "configuration" })
      return { _tag: "Again", after: configurationPause, failed: false }
    }
    case "TransientError": {
      if (error.waiting === true) {
        yield* Metrics.count(Metrics.retried, service, { type, reason: error.code })
        return { _tag: "Again", after: yield* delayAfter(policy, 1, error.retryAfterMillis), failed: false }
      }
      const failures = attempts + 1
      const known = Result.isSuccess(Cause.findError(cause))
      yield* Effect.logWarning(`try ${failures} of ${policy.maxAttempts} failed: ${error.message}`, {
        dependency: error.dependency,
        code: error.code,
        ...(known ? {} : { cause: Cause.pretty(cause) }),
      })
      if (failures >= policy.maxAttempts) return yield* exhausted(incoming, error, failures)
      yield* Metrics.count(Metrics.retried, service, { type, reason: error.code })
      return { _tag: "Again", after: yield* delayAfter(policy, failures, error.retryAfterMillis), failed: true }
    }
  }
})

interface Fault {
  readonly code: string
  readonly message: string
}

const failed = (
  result: Extract<End, { readonly _tag: "Final" }>["result"],
  incoming: Failable,
  { code, message }: Fault,
  attempts: number,
): Effect.Effect<Extract<End, { readonly _tag: "Final" }>> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    _tag: "Final",
    result,
    outcomes: incoming.failed({ code, message }, new Date(now).toISOString()),
    attempts,
  }))

/** Its tries are used up: told as failed, and kept as a dead letter. */
export const exhausted = (incoming: Failable, { code, message }: Fault, attempts: number): Effect.Effect<End> =>
  Effect.map(failed("exhausted", incoming, { code, message }, attempts), (end) => ({
    ...end,
    letter: { reason: code, message },
  }))

/** An operator, or the user, does not want it any more. */
export const cancelled = (incoming: Failable, reason: string, attempts: number): Effect.Effect<End> =>
  failed("cancelled", incoming, { code: "cancelled", message: reason }, attempts)
