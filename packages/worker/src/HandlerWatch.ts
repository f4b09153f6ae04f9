/**
 * Watches the handlers of one consumer that have suspended: it ends a handler at its timeout, renews its lease, and ends it
 * when the lease is lost or the job is cancelled. A handler costs two entries of a set. Racing it against a fiber for each
 * of these took a quarter of the CPU of a lone push (measured, bench/notify).
 */
import { Conflict, TransientError } from "@armoricore/domain/Errors"
import type { StateError } from "@armoricore/state/KeyValue"
import { Cause, Duration, Effect, Exit, type Fiber, Option, type Scope } from "effect"
import type { RunningJobs } from "./control/Cancellation.ts"
import * as FixedDelay from "./FixedDelay.ts"

export interface WatchedLease {
  /** Names the job in cancellations. */
  readonly key: string
  /** Fails with `Conflict` if the lease was lost. */
  readonly renew: Effect.Effect<void, Conflict | StateError>
}

/** The handler was ended: its time is over, its lease is lost, or its job is cancelled. */
export type WatchError = Conflict | StateError

export interface HandlerWatch {
  /** Waits for the handler. A handler that is ended early has ended when the effect fails. */
  readonly await: <A, E>(handler: Fiber.Fiber<A, E>, lease: WatchedLease) => Effect.Effect<A, E | WatchError>
  /** For a handler without a lease. */
  readonly awaitUnleased: <A, E>(handler: Fiber.Fiber<A, E>) => Effect.Effect<A, E | TransientError>
}

export interface Options {
  /** The service, for the error of the timeout. */
  readonly service: string
  readonly timeout: Duration.Duration
  readonly leaseDuration: Duration.Duration
  readonly runningJobs: RunningJobs
}

export const make = Effect.fnUntraced(function* ({
  leaseDuration,
  runningJobs,
  service,
  timeout,
}: Options): Effect.fn.Return<HandlerWatch, never, Scope.Scope> {
  const leaseMillis = Duration.toMillis(leaseDuration)
  const timeouts = yield* FixedDelay.make(timeout)
  const renewals = yield* FixedDelay.make(Duration.millis(leaseMillis / 3))
  const renewalRetries = yield* FixedDelay.make(Duration.millis(leaseMillis / 10))
  const fork = Effect.runForkWith(yield* Effect.context<never>())

  /** Renews until `onLost`. A renewal that runs at the end of the handler is not interrupted: the decision waits for it. */
  const keepLease = (renew: WatchedLease["renew"], onLost: (error: WatchError) => void): (() => void) => {
    let cancel = () => {}
    let isOver = false
    const renewOnce = () => {
      fork(renew).addObserver((exit) => {
        if (isOver) return
        if (Exit.isSuccess(exit)) {
          cancel = renewals.schedule(renewOnce)
          return
        }
        const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
        if (error === undefined || error._tag === "TransientError") cancel = renewalRetries.schedule(renewOnce)
        else onLost(error)
      })
    }
    cancel = renewals.schedule(renewOnce)
    return () => {
      isOver = true
      cancel()
    }
  }

  /** `watch` starts what may end the handler, and returns the function that stops it. */
  const awaitEnd = <A, E, E2>(
    handler: Fiber.Fiber<A, E>,
    watch: (end: (error: E2 | TransientError) => void) => () => void,
  ) =>
    Effect.callback<A, E | E2 | TransientError>((resume) => {
      let reason: E2 | TransientError | undefined
      const end = (error: E2 | TransientError) => {
        if (reason !== undefined) return
        reason = error
        handler.interruptUnsafe()
      }
      const cancelTimeout = timeouts.schedule(() => end(timeoutError(service, timeout)))
      const stop = watch(end)
      handler.addObserver((exit) => {
        cancelTimeout()
        stop()
        resume(reason === undefined ? exit : Effect.fail(reason))
      })
    })

  return {
    await: (handler, { key, renew }) =>
      awaitEnd(handler, (end: (error: WatchError) => void) => {
        const stopRenewing = keepLease(renew, end)
        runningJobs.add(key, () => end(new Conflict({ key })))
        return () => {
          stopRenewing()
          runningJobs.remove(key)
        }
      }),
    awaitUnleased: (handler) => awaitEnd(handler, () => () => {}),
  }
})

const timeoutError = (service: string, timeout: Duration.Duration) =>
  new TransientError({
    dependency: service,
    code: "timeout",
    message: `the work took longer than ${Duration.format(timeout)}`,
  })
