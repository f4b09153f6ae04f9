import * as Signature from "@armoricore/domain/Signature";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Redacted } from "effect";
const secret = Redacted.make("secret-1");
const keys = new Map([["k1", secret]]);
const body = new TextEncoder().encode('{"event_type":"media.uploaded"}');
const sentAt = 1_700_000_000;
const vector = "f594161759d38134938897a86dbf16fc38341e5e5aa1fba48f8691c9d9212106";
describe("Armoricore-Signature", () => {
    it.effect("matches the published test vector", () => Effect.gen(function* () {
        const header = Signature.sign("k1", secret, sentAt, body);
        assert.strictEqual(header, `keyid=k1,t=${sentAt},v1=${vector}`);
        assert.strictEqual(yield* Signature.verify(keys, header, body, sentAt * 1000), "k1");
    }));
    const header = `keyid=k1,t=${sentAt},v1=${vector}`;
    const refused = [
        ["without a header", undefined, body, sentAt],
        ["with rubbish", "v1=1", body, sentAt],
        ["with an unknown key", header.replace("k1", "k2"), body, sentAt],
        ["over another body", header, new TextEncoder().encode("{}"), sentAt],
        ["with another time", header.replace("t=17", "t=18"), body, 1_800_000_000],
        ["301 s late", header, body, sentAt + 301],
        ["301 s early", header, body, sentAt - 301],
    ];
    for (const [name, value, content, at] of refused) {
        it.effect(`is rejected ${name}`, () => Effect.gen(function* () {
            const fault = yield* Effect.flip(Signature.verify(keys, value, content, at * 1000));
            assert.strictEqual(fault.reason, "bad_signature");
        }));
    }
    it.effect("is accepted up to 300 s before or after its arrival", () => Effect.gen(function* () {
        assert.strictEqual(yield* Signature.verify(keys, header, body, (sentAt + 300) * 1000), "k1");
    }));
});
