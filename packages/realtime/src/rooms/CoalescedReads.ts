/**
 * Coalesces equal reads, for example when all sockets of a room reconnect after a deploy. A caller that arrives while the
 * same read is running waits for the next one, which all such callers share: no result is older than its request. The next
 * one waits a little for further callers: there are many when there is more than one.
 *
 * Neither `Effect.cached` nor a `RequestResolver` does this. The first returns a result that was read before the request; the
 * second starts another read while one is running.
 */
import { Deferred, Duration, Effect, FiberSet, type Scope } from "effect"

export type Coalesce<A, E> = (key: string, read: Effect.Effect<A, E>) => Effect.Effect<A, E>

const gathering = Duration.millis(10)

export const make = <A, E>(): Effect.Effect<Coalesce<A, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = yield* FiberSet.makeRuntime<never, void>()
    /** Running reads by key, each with the callers of the next read. They stay while the next read waits for more. */
    const running = new Map<string, Deferred.Deferred<A, E> | undefined>()

    const run = (key: string, read: Effect.Effect<A, E>, done: Deferred.Deferred<A, E>): Effect.Effect<void> =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(read)
        const next = running.get(key)
        if (next === undefined) running.delete(key)
        else {
          const start = Effect.suspend(() => {
            running.set(key, undefined)
            return run(key, read, next)
          })
          fork(Effect.andThen(Effect.sleep(gathering), start))
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
