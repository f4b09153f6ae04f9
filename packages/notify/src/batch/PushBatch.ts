/**
 * The calls of one volley: as many at once as there are slots, each by a fiber of its own and nothing else. What they end
 * with is gathered, so that one write keeps many ends.
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

/** Ends that come within this time are kept by one write. */
const flushInterval = Duration.millis(10)

/** Calls for every shot; `keep` is run with what ended since the last time, and once more for the rest. */
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
      const stop = circuit.start(context, item.message, (exit) => {
        isDone = true
        running.delete(item)
        progress.remaining--
        progress.completed.push({ delivery: item.delivery, exit })
        semaphore.release()
        if (progress.remaining === 0) Deferred.doneUnsafe(allDone, Effect.void)
      })
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
    /** What ended by itself is kept; an interrupted call's end is not known, and not noted. */
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
      // Of calls that ended at once.
      if (progress.completed.length > 0) yield* Effect.uninterruptible(flush(takeCompleted()))
    })
    yield* Effect.onInterrupt(run, () => stop)
  })
