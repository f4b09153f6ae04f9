import { TransientError } from "@armoricore/domain/Errors"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { type Engine, SpeechEngine, withCircuitBreaker } from "../src/SpeechEngine.ts"
import * as SpeechEngines from "../src/SpeechEngines.ts"

const capabilities: Engine["capabilities"] = {
  timestampGranularity: "words",
  languages: "any",
  detectsLanguage: false,
  diarization: false,
  quality: "standard",
  maxChunkSeconds: 30,
  concurrency: 1,
}
const audio = { file: "a.wav", seconds: 1 }

it.effect("a speech server that is away is not called for a while, and the next engine takes over at once", () =>
  Effect.gen(function* () {
    let calls = 0
    let isAway = true
    const remote = Layer.succeed(SpeechEngine, {
      name: "remote",
      model: "m",
      capabilities,
      transcribe: () =>
        Effect.suspend(() => {
          calls++
          return isAway
            ? Effect.fail(new TransientError({ dependency: "speech", code: "unavailable", message: "away" }))
            : Effect.succeed({ words: [], segments: [] })
        }),
    })
    const engine = yield* Effect.provide(SpeechEngine, withCircuitBreaker(remote))
    const ask = engine.transcribe(audio, {})
    for (let tries = 0; tries < 5; tries++) assert.strictEqual((yield* Effect.flip(ask))._tag, "TransientError")
    const refused = yield* Effect.flip(ask)
    assert.deepInclude(refused, { code: "circuit_open", dependency: "speech", countsAsAttempt: false })
    assert.strictEqual(calls, 5)

    const local: Engine = {
      name: "local",
      model: "m",
      capabilities,
      transcribe: () => Effect.succeed({ words: [], segments: [] }),
    }
    const plan = SpeechEngines.make([engine, local])
    const done = yield* plan.withEngine(undefined, (chosen) => chosen.transcribe(audio, {}))
    assert.strictEqual(done.engine.name, "local")
    assert.strictEqual(calls, 5)

    isAway = false
    yield* TestClock.adjust("2 seconds")
    yield* ask
    assert.strictEqual(calls, 6)
  }).pipe(Effect.provide(CircuitBreakers.layer), Effect.provide(Logger.layer([]))),
)
