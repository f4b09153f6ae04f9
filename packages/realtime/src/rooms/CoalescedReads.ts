/**
 * Reads that many ask for at once, as when all sockets of a room come back after a deploy. Whoever asks while the same
 * read is running waits for the next one, which all of them share: an answer never begins before its question.
 */
import { Deferred, Effect, FiberSet, type Scope } from "effect"

export type Coalesce<A, E> = (key: string, read: Effect.Effect<A, E>) => Effect.Effect<A, E>

export const make = <A, E>(): Effect.Effect<Coalesce<A, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fibers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(fibers)()
    /** Keys that are being read, with those who wait for the next round. */
    const running = new Map<string, Deferred.Deferred<A, E> | undefined>()

    const run = (key: string, read: Effect.Effect<A, E>, done: Deferred.Deferred<A, E>): Effect.Effect<void> =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(read)
        const next = running.get(key)
        if (next === undefined) running.delete(key)
        else {
          running.set(key, undefined)
          fork(run(key, read, next))
        }
        yield* Deferred.done(done, exit)
      })

    return (key, read) =>
      Effect.suspend(() => {
        const isRunning = running.has(key)
        const done = running.get(key) ?? Deferred.makeUnsafe<A, E>()
        running.set(key, isRunning ? done : undefined)
        if (!isRunning) fork(run(key, read, done))
        return Deferred.await(done)
      })
  })
