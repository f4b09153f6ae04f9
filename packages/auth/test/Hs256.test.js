/** Compares our verification with the library's: both reject the same tokens. */
import { createHmac } from "node:crypto";
import { verifier } from "@armoricore/auth/Hs256";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Result, Schema } from "effect";
import * as Jose from "jose";
const secret = new TextEncoder().encode("a-secret-that-is-long-enough-for-hs256-to-be-worth-something");
const now = 1_000_000;
const verify = verifier(secret, { issuers: ["shop"], audience: "app" });
const part = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const signed = (header, claims) => {
    const body = `${part(header)}.${part(claims)}`;
    return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
};
const byTheLibrary = (token) => Effect.promise(() => Jose.jwtVerify(token, secret, {
    algorithms: ["HS256"],
    requiredClaims: ["exp"],
    issuer: "shop",
    audience: "app",
    currentDate: new Date(now),
}).then(() => true, () => false));
const agree = Effect.fnUntraced(function* (token) {
    const ours = Result.isSuccess(verify(token, now));
    assert.strictEqual(ours, yield* byTheLibrary(token), token);
    return ours;
});
const good = { iss: "shop", aud: "app", exp: 1001, sub: "x" };
const head = { alg: "HS256", typ: "JWT" };
describe("Hs256", () => {
    it.effect("accepts valid tokens, as the library does", () => Effect.gen(function* () {
        for (const claims of [good, { ...good, aud: ["other", "app"] }, { ...good, nbf: 1000, iat: 5000 }]) {
            assert.isTrue(yield* agree(signed(head, claims)));
        }
    }));
    it.effect("rejects invalid headers, claims, encodings and signatures", () => Effect.gen(function* () {
        const token = signed(head, good);
        const [header = "", claims = "", signature = ""] = token.split(".");
        const bad = [
            ...[{ alg: "none" }, { alg: "hs256" }, { alg: "HS512" }, { alg: "RS256" }, {}, [], "x", null].map((other) => signed(other, good)),
            signed({ ...head, crit: ["new"], new: true }, good),
            ...[{ exp: 1000 }, { exp: "2000" }, { exp: undefined }, { nbf: 1001 }, { nbf: "1" }, { iat: "1" }].map((other) => signed(head, { ...good, ...other })),
            ...[{ iss: "thief" }, { aud: "other" }, { aud: ["other"] }, { aud: undefined }].map((other) => signed(head, { ...good, ...other })),
            ...["x", "[]", "null", "1", ""].map((other) => signed(head, other)),
            `${header}.${claims}.`,
            `${header}.${claims}`,
            `${header}.${claims}.${signature}x`,
            `${header}.${claims}.${signature.slice(0, -1)}`,
            `${header}.${claims}.${signature}.`,
            `${header}.${part({ ...good, sub: "y" })}.${signature}`,
            "",
            "..",
            ".",
        ];
        // The library also accepts padded parts, which RFC 7515 forbids.
        const padded = [`${header}.${claims}.${signature}=`, `${header}=.${claims}.${signature}`];
        for (const other of bad)
            assert.isFalse(yield* agree(other));
        for (const other of padded)
            assert.isTrue(Result.isFailure(verify(other, now)), other);
    }));
    it.effect.prop("does not throw for any text", [Schema.String, Schema.String, Schema.String], ([a, b, c]) => Effect.sync(() => {
        assert.isTrue(Result.isFailure(verify(`${a}.${b}.${c}`, now)));
        assert.isTrue(Result.isFailure(verify(signed(a, b), now)));
    }));
});
