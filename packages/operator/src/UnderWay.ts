/**
 * The calls that were begun and have one answer, so that whoever stops the server lets them end: an act that is done
 * already must not look as if it failed. Streams have no end of their own and do not count.
 */
import { Context, Effect, Layer } from "effect"

/** What a call is answered leaves through other fibers. */
const answerMillis = 50

export class UnderWay extends Context.Service<
  UnderWay,
  {
    /** Counts for as long as it runs, and until its answer is gone. */
    readonly counted: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** Calls back once, when no call is under way. */
    readonly onNone: (done: () => void) => void
  }
>()("@armoricore/operator/UnderWay") {
  static readonly layer: Layer.Layer<UnderWay> = Layer.sync(UnderWay, () => {
    let count = 0
    const waiting = new Set<() => void>()
    const ended = () => {
      count--
      if (count > 0) return
      for (const done of waiting) done()
      waiting.clear()
    }
    const answered = Effect.sync(() => void setTimeout(ended, answerMillis).unref())
    return UnderWay.of({
      counted: (call) =>
        Effect.acquireUseRelease(
          Effect.sync(() => void count++),
          () => call,
          () => answered,
        ),
      onNone: (done) => (count === 0 ? done() : void waiting.add(done)),
    })
  })
}
