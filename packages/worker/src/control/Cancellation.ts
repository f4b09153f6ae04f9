/**
 * Ends a job before its time: the ledger's record is the truth, a live message makes it prompt. The job ends as one that
 * failed for good: its handler is interrupted, and `failed` tells with the code `cancelled`. A job that has not come yet
 * is cancelled when it does.
 */
import { ephemeral } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { Conflict } from "@armoricore/domain/Errors"
import type { StateError } from "@armoricore/state/KeyValue"
import { Context, Deferred, Effect, Layer, type Scope } from "effect"
import { Ledger } from "../ledger/Ledger.ts"

export class Cancellation extends Context.Service<
  Cancellation,
  {
    /**
     * `consumer` is the durable's name, for example `media-media-uploaded`; `reason` a sentence that the failure tells.
     * False: too late, the job's result is decided.
     */
    readonly cancel: (
      consumer: string,
      eventId: string,
      reason: string,
    ) => Effect.Effect<boolean, Conflict | StateError>
  }
>()("@armoricore/worker/Cancellation") {
  static readonly layer = Layer.effect(
    Cancellation,
    Effect.gen(function* () {
      const bus = yield* EventBus
      const ledger = yield* Ledger
      return Cancellation.of({
        cancel: Effect.fnUntraced(function* (consumer, eventId, reason) {
          const key = `${consumer}.${eventId}`
          const isCancelled = yield* ledger.cancel(key, reason)
          // Unheard, the worker learns of it when it next renews its lease.
          if (isCancelled) yield* Effect.ignore(bus.broadcast(address, new TextEncoder().encode(key)))
          return isCancelled
        }),
      })
    }),
  )
}

const address = ephemeral("job.cancelled")

/** The jobs of this process that can be cancelled. */
export interface RunningJobs {
  /** Runs an effect that is interrupted, and ends with `onCancelled`, when the job of this key is cancelled. */
  readonly cancellable: (
    key: string,
  ) => <A, E, R, E2>(
    effect: Effect.Effect<A, E, R>,
    onCancelled: Effect.Effect<never, E2>,
  ) => Effect.Effect<A, E | E2, R>
}

/** Listens until the scope closes. */
export const listen: Effect.Effect<
  RunningJobs,
  Effect.Error<ReturnType<EventBus["Service"]["subscribe"]>>,
  EventBus | Scope.Scope
> = Effect.gen(function* () {
  const bus = yield* EventBus
  const jobs = new Map<string, Deferred.Deferred<void>>()
  yield* bus.subscribe(address, ({ body }) => {
    const job = jobs.get(new TextDecoder().decode(body))
    if (job !== undefined) Deferred.doneUnsafe(job, Effect.void)
  })
  return {
    cancellable: (key) => (effect, onCancelled) =>
      Effect.suspend(() => {
        const cancelled = Deferred.makeUnsafe<void>()
        jobs.set(key, cancelled)
        return Effect.raceFirst(effect, Effect.andThen(Deferred.await(cancelled), onCancelled)).pipe(
          Effect.ensuring(Effect.sync(() => void jobs.delete(key))),
        )
      }),
  }
})
