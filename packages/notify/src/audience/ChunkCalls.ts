/**
 * The provider calls of one chunk. Each call has one fiber; semaphores that all chunks of the process share limit their number.
 * Results are gathered, so that one write stores many of them. A provider that limits the rate is waited for. One that takes
 * nothing now blocks its calls: those that have not begun are left, and the chunk comes back later.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Option } from "effect"
import type { CallbackSemaphore } from "../batch/CallbackSemaphore.ts"
import type { CallExit } from "../batch/CallOutcome.ts"
import type { Message } from "../provider/Provider.ts"
import type { ProviderCircuit } from "../provider/ProviderCircuit.ts"

export interface Call {
  readonly circuit: ProviderCircuit
  readonly semaphore: CallbackSemaphore
  readonly message: Message
}

export interface EndedCall<C> {
  readonly call: C
  readonly exit: CallExit
}

export interface Options<C, E> {
  readonly calls: ReadonlyArray<C>
  /** Stores the results, and publishes them. Runs while further calls do. */
  readonly flush: (ended: ReadonlyArray<EndedCall<C>>) => Effect.Effect<void, E>
  /** True: no further call begins. */
  readonly isStopped: () => boolean
}

/** A provider that is waited for is looked at this often. */
const tick = Duration.millis(50)
/** So many results are stored at once, or those of so many milliseconds. */
const flushCount = 250
const flushMillis = 250
/** So many throttled calls in a row mean that the provider throttles them all. */
const throttledRun = 16

/** Calls of one provider. */
interface Lane<C> {
  readonly waiting: Array<C>
  readonly circuit: ProviderCircuit
  readonly semaphore: CallbackSemaphore
  /** The provider limits the rate, epoch milliseconds. */
  pausedUntil: number
  /** The provider takes nothing before, epoch milliseconds. */
  blockedUntil: number
  throttled: number
  readonly pump: () => void
}

/**
 * Returns when every call that began has ended and its result is stored. `blockedUntil` is 0 unless calls are left because a
 * provider takes none now.
 */
export const run = <C extends Call, E>({
  calls,
  flush,
  isStopped,
}: Options<C, E>): Effect.Effect<{ readonly left: ReadonlyArray<C>; readonly blockedUntil: number }, E> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const running = new Map<C, Effect.Effect<void>>()
    const ended: Array<EndedCall<C>> = []
    let inFlight = 0
    const control = { isInterrupted: false }
    let wake = Deferred.makeUnsafe<void>()

    const onEnd = (lane: Lane<C>, call: C, exit: CallExit) => {
      running.delete(call)
      inFlight--
      lane.semaphore.release()
      if (!isBegun(lane, call, exit, now())) return
      ended.push({ call, exit })
      if (ended.length === flushCount || inFlight === 0) Deferred.doneUnsafe(wake, Effect.void)
    }

    const start = (lane: Lane<C>, call: C) => {
      inFlight++
      let isDone = false
      const stop = lane.circuit.start(
        () => context,
        call.message,
        (exit) => {
          isDone = true
          onEnd(lane, call, exit)
        },
      )
      if (!isDone) running.set(call, stop)
    }

    const lanes = [...Map.groupBy(calls, ({ circuit }) => circuit)].map(([circuit, ofCircuit]): Lane<C> => {
      const [first] = ofCircuit
      const lane: Lane<C> = {
        // Taken from its end.
        waiting: ofCircuit.toReversed(),
        circuit,
        semaphore: first?.semaphore ?? neverReached(),
        pausedUntil: 0,
        blockedUntil: 0,
        throttled: 0,
        pump: () => {
          while (!control.isInterrupted && !isStopped() && lane.waiting.length > 0) {
            if (lane.blockedUntil > 0 || lane.pausedUntil > now()) return
            if (!lane.semaphore.tryAcquire()) return lane.semaphore.onAvailable(lane.pump)
            const call = lane.waiting.pop()
            if (call !== undefined) start(lane, call)
          }
        },
      }
      return lane
    })

    const isOpen = () =>
      inFlight > 0 ||
      (!isStopped() && lanes.some(({ blockedUntil, waiting }) => blockedUntil === 0 && waiting.length > 0))
    const flushAll = Effect.suspend(() => (ended.length === 0 ? Effect.void : flush(ended.splice(0))))

    /** An interrupted call has an unknown outcome and is not recorded. */
    const stop = Effect.suspend(() => {
      control.isInterrupted = true
      for (const { pump, semaphore } of lanes) semaphore.cancelWait(pump)
      const completed = ended.splice(0)
      return Effect.andThen(
        Effect.forEach([...running.values()], (one) => one, { concurrency: "unbounded", discard: true }),
        completed.length === 0 ? Effect.void : Effect.ignore(flush(completed)),
      )
    })

    const loop = Effect.gen(function* () {
      let flushedAt = now()
      for (;;) {
        for (const { pump } of lanes) pump()
        if (!isOpen()) break
        yield* Effect.timeoutOption(Deferred.await(wake), tick)
        wake = Deferred.makeUnsafe()
        if (ended.length < flushCount && now() - flushedAt < flushMillis && isOpen()) continue
        yield* Effect.uninterruptible(flushAll)
        flushedAt = now()
      }
      for (const { pump, semaphore } of lanes) semaphore.cancelWait(pump)
      yield* Effect.uninterruptible(flushAll)
    })
    yield* Effect.onExit(loop, (exit) => (Exit.isFailure(exit) ? stop : Effect.void))
    return {
      left: lanes.flatMap(({ waiting }) => waiting),
      blockedUntil: lanes.reduce((earliest, { blockedUntil, waiting }) => {
        if (waiting.length === 0 || blockedUntil === 0) return earliest
        return earliest === 0 ? blockedUntil : Math.min(earliest, blockedUntil)
      }, 0),
    }
  })

/** False: the call did not begin, and waits in its lane again. */
const isBegun = <C>(lane: Lane<C>, call: C, exit: CallExit, now: number): boolean => {
  if (Exit.isFailure(exit)) {
    const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (!isThrottled(error)) return true
    lane.throttled++
    if (lane.throttled >= throttledRun) lane.blockedUntil = now + Math.max(minBlockMillis, error.retryAfterMillis ?? 0)
    return true
  }
  if (!("_tag" in exit.value)) {
    lane.throttled = 0
    return true
  }
  const { reason, waitMillis } = exit.value
  if (reason === "rate_limited")
    lane.pausedUntil = Math.max(lane.pausedUntil, now + Math.min(waitMillis, maxPauseMillis))
  // Without it, only one of several servers of the provider takes nothing.
  else if (lane.circuit.unavailability(now) !== undefined) lane.blockedUntil = now + waitMillis
  else return true
  lane.waiting.push(call)
  return false
}

/** The provider works, and asks for a pause. In a chunk it counts as no attempt. */
export const isThrottled = (error: unknown): error is TransientError =>
  error instanceof TransientError && error.code === "throttled"

const minBlockMillis = 1_000
const maxPauseMillis = 1_000

const neverReached = (): never => {
  throw new Error("a group of calls is never empty")
}
