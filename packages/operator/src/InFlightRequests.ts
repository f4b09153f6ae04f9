/**
 * The calls that were begun and have one answer, so that whoever stops the server lets them end: an act that is done
 * already must not look as if it failed. Streams have no end of their own and do not count.
 */
import { Context, Effect, Layer } from "effect"

/** What a call is answered leaves through other fibers. */
const responseFlushMillis = 50

export class InFlightRequests extends Context.Service<
  InFlightRequests,
  {
    /** Counts for as long as it runs, and until its answer is gone. */
    readonly track: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** Calls back once, when no call is under way. */
    readonly onDrained: (done: () => void) => void
  }
>()("@armoricore/operator/InFlightRequests") {
  static readonly layer: Layer.Layer<InFlightRequests> = Layer.sync(InFlightRequests, () => {
    let count = 0
    const drainCallbacks = new Set<() => void>()
    const release = () => {
      count--
      if (count > 0) return
      for (const done of drainCallbacks) done()
      drainCallbacks.clear()
    }
    const releaseAfterFlush = Effect.sync(() => void setTimeout(release, responseFlushMillis).unref())
    return InFlightRequests.of({
      track: (call) =>
        Effect.acquireUseRelease(
          Effect.sync(() => void count++),
          () => call,
          () => releaseAfterFlush,
        ),
      onDrained: (done) => (count === 0 ? done() : void drainCallbacks.add(done)),
    })
  })
}
