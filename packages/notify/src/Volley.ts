/**
 * The calls of one volley: as many at once as there are slots, each by a fiber of its own and nothing else. What they end
 * with is gathered, so that one write keeps many ends.
 */
import { Deferred, Duration, Effect, Exit } from "effect"
import type { Job } from "./Job.ts"
import type { Accepted, Message } from "./Route.ts"
import type { CallError, Closed, RouteGuard } from "./RouteGuard.ts"
import type { Slots } from "./Slots.ts"

export type Ended = { readonly job: Job; readonly end: Exit.Exit<Accepted | Closed, CallError> }

export interface Shot {
  readonly job: Job
  readonly message: Message
}

/** Ends that come within this time are kept by one write. */
const gather = Duration.millis(10)

/** Calls for every shot; `keep` is run with what ended since the last time, and once more for the rest. */
export const fire = <E>(
  guard: RouteGuard,
  slots: Slots,
  shots: ReadonlyArray<Shot>,
  keep: (ended: ReadonlyArray<Ended>) => Effect.Effect<void, E>,
): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const all = Deferred.makeUnsafe<void>()
    const running = new Map<Shot, Effect.Effect<void>>()
    const volley = { ended: new Array<Ended>(), next: 0, open: shots.length, isStopped: false }
    const gathered = () => volley.ended.splice(0)

    const shoot = (shot: Shot) => {
      let isOver = false
      const stop = guard.start(context, shot.message, (end) => {
        isOver = true
        running.delete(shot)
        volley.open--
        volley.ended.push({ job: shot.job, end })
        slots.give()
        if (volley.open === 0) Deferred.doneUnsafe(all, Effect.void)
      })
      if (!isOver) running.set(shot, stop)
    }
    const press = () => {
      while (!volley.isStopped) {
        const shot = shots[volley.next]
        if (shot === undefined) return
        if (!slots.take()) return slots.wait(press)
        volley.next++
        shoot(shot)
      }
    }
    /** What ended by itself is kept; an interrupted call's end is not known, and not noted. */
    const stop = Effect.suspend(() => {
      volley.isStopped = true
      slots.leave(press)
      const known = gathered()
      const interrupted = Effect.forEach([...running.values()], (one) => one, {
        concurrency: "unbounded",
        discard: true,
      })
      return known.length === 0 ? interrupted : Effect.andThen(interrupted, Effect.ignore(keep(known)))
    })

    const flight = Effect.gen(function* () {
      press()
      while (volley.open > 0) {
        yield* Effect.timeoutOption(Deferred.await(all), gather)
        if (volley.ended.length > 0) yield* Effect.uninterruptible(keep(gathered()))
      }
      // Of calls that ended at once.
      if (volley.ended.length > 0) yield* Effect.uninterruptible(keep(gathered()))
    })
    yield* Effect.onInterrupt(flight, () => stop)
  })
