/**
 * The provider calls of one push batch. Each call uses one fiber, and a semaphore limits their number. Results are
 * gathered so that one write stores many of them.
 */
import { Deferred, Duration, Effect, Exit } from "effect"
import type { PlannedDelivery } from "../delivery/PlannedDelivery.ts"
import type { Accepted, Message } from "../provider/Provider.ts"
import type { CallError, Unavailable, ProviderCircuit } from "../provider/ProviderCircuit.ts"
import type { CallbackSemaphore } from "./CallbackSemaphore.ts"

export type CompletedCall = {
  readonly delivery: PlannedDelivery
  readonly exit: Exit.Exit<Accepted | Unavailable, CallError>
}

export interface BatchItem {
  readonly delivery: PlannedDelivery
  readonly message: Message
}

/** Results that arrive within this interval share one write. */
const flushInterval = Duration.millis(10)

/**
 * Calls the provider for every item. `flush` receives the calls that completed since the previous flush, and at the end
 * the remaining ones.
 */
export const send = <E>(
  circuit: ProviderCircuit,
  semaphore: CallbackSemaphore,
  items: ReadonlyArray<BatchItem>,
  flush: (completed: ReadonlyArray<CompletedCall>) => Effect.Effect<void, E>,
): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const allDone = Deferred.makeUnsafe<void>()
    const running = new Map<BatchItem, Effect.Effect<void>>()
    const progress = { completed: new Array<CompletedCall>(), next: 0, remaining: items.length, isStopped: false }
    const takeCompleted = () => progress.completed.splice(0)

    const start = (item: BatchItem) => {
      let isDone = false
      const stop = circuit.start(
        () => context,
        item.message,
        (exit) => {
          isDone = true
          running.delete(item)
          progress.remaining--
          progress.completed.push({ delivery: item.delivery, exit })
          semaphore.release()
          if (progress.remaining === 0) Deferred.doneUnsafe(allDone, Effect.void)
        },
      )
      if (!isDone) running.set(item, stop)
    }
    const pump = () => {
      while (!progress.isStopped) {
        const item = items[progress.next]
        if (item === undefined) return
        if (!semaphore.tryAcquire()) return semaphore.onAvailable(pump)
        progress.next++
        start(item)
      }
    }
    /** Completed calls are flushed. An interrupted call has an unknown outcome and is not recorded. */
    const stop = Effect.suspend(() => {
      progress.isStopped = true
      semaphore.cancelWait(pump)
      const completed = takeCompleted()
      const interruptAll = Effect.forEach([...running.values()], (one) => one, {
        concurrency: "unbounded",
        discard: true,
      })
      return completed.length === 0 ? interruptAll : Effect.andThen(interruptAll, Effect.ignore(flush(completed)))
    })

    const run = Effect.gen(function* () {
      pump()
      while (progress.remaining > 0) {
        yield* Effect.timeoutOption(Deferred.await(allDone), flushInterval)
        if (progress.completed.length > 0) yield* Effect.uninterruptible(flush(takeCompleted()))
      }
      // The calls that completed immediately, before the loop.
      if (progress.completed.length > 0) yield* Effect.uninterruptible(flush(takeCompleted()))
    })
    yield* Effect.onInterrupt(run, () => stop)
  })
