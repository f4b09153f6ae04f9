import { sha256 } from "@armoricore/domain/DeterministicId";
import { encodeId, encodeTopic, maxEncodedLength } from "@armoricore/domain/EncodedId";
import { UserId } from "@armoricore/domain/Ids";
import { uploadPrefix } from "@armoricore/domain/ObjectRef";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
/** One segment of a NATS subject, a key, a file name, a URL path, a header and a routing key of AMQP. */
const isSafe = (text) => /^[A-Za-z0-9_=-]{1,128}$/.test(text);
/** Ids that a wrong encoding maps to one: characters that the targets treat as special, cases, and the escapes themselves. */
const similar = [
    "a|b",
    "a.b",
    "a/b",
    "a:b",
    "a*b",
    "a>b",
    "a=b",
    "a=7cb",
    "a%7Cb",
    "a_b",
    "a-b",
    "ab",
    "a\u0301",
    "á",
    "A|b",
];
describe("the encoding of an id", () => {
    it.effect.prop("is safe for every target, and differs for different ids", [Schema.String, Schema.String], ([a, b]) => Effect.sync(() => {
        assert.isTrue(isSafe(encodeId(a)), encodeId(a));
        assert.match(encodeTopic(`user:${a}`), /^user:[A-Za-z0-9_=:-]{0,195}$/);
        assert.strictEqual(encodeId(a) === encodeId(b), a === b);
        assert.strictEqual(encodeTopic(a) === encodeTopic(b), a === b);
        assert.strictEqual(encodeTopic(`user:${a}`) === encodeTopic(`user:${b}`), a === b);
    }));
    it("differs for ids that look alike to a target, of every length", () => {
        const ids = [
            "",
            "\ud800",
            "\udc00",
            ...similar,
            ...[100, 128, 129, 300].flatMap((n) => ["x", "é", "="].map((c) => c.repeat(n))),
        ];
        for (const encode of [encodeId, encodeTopic, (id) => encodeTopic(`user:${id}`)])
            assert.strictEqual(new Set(ids.map(encode)).size, ids.length);
        for (const id of ids)
            assert.isTrue(isSafe(encodeId(id)), id);
    });
    it("leaves the ids of earlier versions as they are, so that their documents are found", () => {
        for (const id of ["u1", "7", "A_b-c", "x".repeat(128)])
            assert.strictEqual(encodeId(id), id);
        assert.strictEqual(encodeTopic("chat:room:42"), "chat:room:42");
    });
    it("is stable: stored keys depend on it", () => {
        assert.strictEqual(encodeId("auth0|5f7c8e"), "auth0=7c5f7c8e");
        assert.strictEqual(encodeId("ada@example.com"), "ada=40example=2ecom");
        assert.strictEqual(encodeId("é".repeat(128)), `==${sha256("=c3=a9".repeat(128))}`);
        assert.strictEqual(encodeTopic("user:urn:example:7"), "user:urn:example:7");
        assert.strictEqual(encodeTopic("user:auth0|7"), "user:auth0=7c7");
        assert.strictEqual(uploadPrefix("auth0|7", "m1"), "uploads/auth0=7c7/m1/");
        assert.isAtMost(encodeId("😀".repeat(128)).length, maxEncodedLength);
    });
});
const decode = Schema.decodeUnknownResult(UserId);
describe("a user id", () => {
    it("is any text of 1 to 128 characters without white space or control characters, or an integer", () => {
        const valid = [
            "auth0|5f7c8e",
            "ada@example.com",
            "urn:example:user:7",
            "é".repeat(128),
            "😀".repeat(128),
            "日本",
            "a.b/c*>",
            "__proto__",
        ];
        for (const id of valid)
            assert.strictEqual(decode(id)._tag, "Success", id);
        const invalid = [
            "",
            "a b",
            "a\u00a0b",
            "a\u2028",
            "a\n",
            "\0",
            "a\u0085",
            "a\u202eb",
            "a\ud800",
            "x".repeat(129),
            1.5,
            null,
            {},
        ];
        for (const id of invalid)
            assert.strictEqual(decode(id)._tag, "Failure", JSON.stringify(id));
    });
    it("accepts exactly the characters that are not white space, controls, bidirectional controls or half pairs", () => {
        const excluded = /^[\s\p{Cc}\p{Cs}\p{Bidi_Control}]$/u;
        const wrong = [];
        // Beyond the first plane a sample is enough: it has no excluded character.
        for (let code = 0; code <= 0x10ffff; code += code > 0xffff ? 0x7ff : 1) {
            const character = String.fromCodePoint(code);
            if ((decode(character)._tag === "Success") === excluded.test(character))
                wrong.push(code.toString(16));
        }
        assert.deepStrictEqual(wrong, []);
    });
    it.effect.prop("of the schema has a safe encoding", [UserId], ([id]) => Effect.sync(() => assert.isTrue(isSafe(encodeId(id)))));
});
