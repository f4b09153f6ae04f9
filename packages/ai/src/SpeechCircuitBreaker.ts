/**
 * An engine that is somebody else's server, behind a circuit breaker: while it is away, pieces go to the next engine at
 * once, or the job goes back to the bus without using up a try.
 */
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { Effect, Layer } from "effect"
import { SpeechEngine } from "./SpeechEngine.ts"

/** As operators see it. */
export const dependencyName = "speech"

/** The engine of this Layer, guarded. */
export const withCircuitBreaker = <E, R>(
  engine: Layer.Layer<SpeechEngine, E, R>,
): Layer.Layer<SpeechEngine, E, R | CircuitBreakers> =>
  Layer.effect(
    SpeechEngine,
    Effect.gen(function* () {
      const unguarded = yield* SpeechEngine
      const withBreaker = (yield* CircuitBreakers).withCircuitBreaker(dependencyName)
      return SpeechEngine.of({
        ...unguarded,
        transcribe: (audio, options) => withBreaker(unguarded.transcribe(audio, options)),
      })
    }),
  ).pipe(Layer.provide(engine))
