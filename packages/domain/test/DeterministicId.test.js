import * as DeterministicId from "@armoricore/domain/DeterministicId";
import { assert, it } from "@effect/vitest";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { Effect, Schema } from "effect";
it.effect("the same cause and type give the same id, and it is a UUID of version 8", () => Effect.gen(function* () {
    const first = DeterministicId.resultEventId("cause", "media.ready");
    assert.strictEqual(DeterministicId.resultEventId("cause", "media.ready"), first);
    assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.notStrictEqual(DeterministicId.resultEventId("cause", "media.failed"), first);
    assert.notStrictEqual(DeterministicId.resultEventId("cause", "media.ready", "2"), first);
}));
it.effect.prop("the boundaries of the parts change the id", [Schema.NonEmptyString, Schema.NonEmptyString], ([a, b]) => Effect.gen(function* () {
    assert.notStrictEqual(DeterministicId.deriveId(a, b), DeterministicId.deriveId(a + b));
    assert.notStrictEqual(DeterministicId.deriveId(a, b, ""), DeterministicId.deriveId(a, b));
}));
it.effect("a browser, without Node's digest, creates the same ids", () => Effect.gen(function* () {
    for (const text of ["", "abc", "Grüße, 世界", "half a pair \ud800"]) {
        assert.strictEqual(DeterministicId.sha256(text), bytesToHex(sha256(utf8ToBytes(text))));
    }
    assert.strictEqual(DeterministicId.deriveId("a", "b"), "c830d3fc-cacc-8d47-b0a5-dfaa88745266");
}));
