/**
 * An engine that is somebody else's server, behind a circuit breaker: while it is away, pieces go to the next engine at
 * once, or the job goes back to the bus without using up a try.
 */
import { Dependencies } from "@armoricore/worker/Dependencies"
import { Effect, Layer } from "effect"
import { SpeechEngine } from "./SpeechEngine.ts"

/** As operators see it. */
export const dependency = "speech"

/** The engine of this Layer, guarded. */
export const layer = <E, R>(engine: Layer.Layer<SpeechEngine, E, R>): Layer.Layer<SpeechEngine, E, R | Dependencies> =>
  Layer.effect(
    SpeechEngine,
    Effect.gen(function* () {
      const real = yield* SpeechEngine
      const guard = (yield* Dependencies).guard(dependency)
      return SpeechEngine.of({ ...real, transcribe: (sound, options) => guard(real.transcribe(sound, options)) })
    }),
  ).pipe(Layer.provide(engine))
