import { TransientError } from "@armoricore/domain/Errors";
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers";
import { assert, it } from "@effect/vitest";
import { Effect, Layer, Logger } from "effect";
import { TestClock } from "effect/testing";
import { SpeechEngine, withCircuitBreaker } from "../src/SpeechEngine.ts";
import * as SpeechEngines from "../src/SpeechEngines.ts";
const capabilities = {
    timestampGranularity: "words",
    languages: "any",
    detectsLanguage: false,
    diarization: false,
    quality: "standard",
    maxChunkSeconds: 30,
    concurrency: 1,
};
const audio = { file: "a.wav", seconds: 1 };
it.effect("the open circuit of a speech server rejects calls at once, and the next engine takes over", () => Effect.gen(function* () {
    let calls = 0;
    let isDown = true;
    const remote = Layer.succeed(SpeechEngine, {
        name: "remote",
        model: "m",
        capabilities,
        transcribe: () => Effect.suspend(() => {
            calls++;
            return isDown
                ? Effect.fail(new TransientError({ dependency: "speech", code: "unavailable", message: "down" }))
                : Effect.succeed({ words: [], segments: [] });
        }),
    });
    const engine = yield* Effect.provide(SpeechEngine, withCircuitBreaker(remote));
    const transcribe = engine.transcribe(audio, {});
    for (let attempt = 0; attempt < 5; attempt++)
        assert.strictEqual((yield* Effect.flip(transcribe))._tag, "TransientError");
    const rejection = yield* Effect.flip(transcribe);
    assert.deepInclude(rejection, { code: "circuit_open", dependency: "speech", countsAsAttempt: false });
    assert.strictEqual(calls, 5);
    const local = {
        name: "local",
        model: "m",
        capabilities,
        transcribe: () => Effect.succeed({ words: [], segments: [] }),
    };
    const plan = SpeechEngines.make([engine, local]);
    const result = yield* plan.withEngine(undefined, (chosen) => chosen.transcribe(audio, {}));
    assert.strictEqual(result.engine.name, "local");
    assert.strictEqual(calls, 5);
    isDown = false;
    yield* TestClock.adjust("2 seconds");
    yield* transcribe;
    assert.strictEqual(calls, 6);
}).pipe(Effect.provide(CircuitBreakers.layer), Effect.provide(Logger.layer([]))));
