import * as Causation from "@armoricore/domain/Causation"
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

it.effect("the same cause and type give the same id, and it is a UUID of version 8", () =>
  Effect.gen(function* () {
    const first = Causation.resultEventId("cause", "media.ready")
    assert.strictEqual(Causation.resultEventId("cause", "media.ready"), first)
    assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.notStrictEqual(Causation.resultEventId("cause", "media.failed"), first)
    assert.notStrictEqual(Causation.resultEventId("cause", "media.ready", "2"), first)
  }),
)

it.effect.prop("where parts end matters", [Schema.NonEmptyString, Schema.NonEmptyString], ([a, b]) =>
  Effect.gen(function* () {
    assert.notStrictEqual(Causation.derivedId(a, b), Causation.derivedId(a + b))
    assert.notStrictEqual(Causation.derivedId(a, b, ""), Causation.derivedId(a, b))
  }),
)
