/**
 * One-click unsubscribe (RFC 8058). The link contains the hash of an address and a category with a signature: it reveals
 * no address and cannot be forged. GET shows a page with a button, because mail scanners open links. POST unsubscribes.
 */
import { securityHeaders } from "@armoricore/domain/PageSecurity";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { Context, Effect, Layer, Redacted } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import { createHmac, timingSafeEqual } from "node:crypto";
import { html, page } from "../request/Html.ts";
import { Suppressions } from "./Suppressions.ts";
import { hashOf } from "../request/Target.ts";
export const path = "/v1/unsubscribe";
export const preferencesPath = "/v1/preferences";
export class UnsubscribeLinks extends Context.Service()("@armoricore/notify/UnsubscribeLinks") {
    /** `key` is the secret of the HMAC. Anyone with it can unsubscribe any address. */
    static layer = (options) => Layer.effect(UnsubscribeLinks, Effect.map(PublicUrl, (publicUrl) => ({
        urlFor: (target, category) => Effect.map(publicUrl.get, (url) => `${url}${path}/${sign(options.key, { hash: hashOf(target), category })}`),
        verify: (token) => verify(options.key, token),
        preferencesUrlFor: (userId, target, category) => Effect.map(publicUrl.get, (url) => `${url}${preferencesPath}/${signPreferences(options.key, { userId, hash: hashOf(target), category })}`),
        verifyPreferences: (token) => verifyPreferences(options.key, token),
    })));
    /** No links: for installations without a public URL. */
    static layerNone = Layer.succeed(UnsubscribeLinks, {
        urlFor: () => Effect.succeed(undefined),
        verify: () => undefined,
        preferencesUrlFor: () => Effect.succeed(undefined),
        verifyPreferences: () => undefined,
    });
}
const signatureOf = (key, body, purpose = "unsubscribe") => createHmac("sha256", Redacted.value(key)).update(`${purpose}:${body}`).digest().subarray(0, 16);
/** The body of a token whose signature is valid. */
const verifiedBody = (key, token, purpose) => {
    const [body = "", mac = "", ...more] = token.split(".");
    const signature = Buffer.from(mac, "base64url");
    const expected = signatureOf(key, body, purpose);
    if (more.length > 0 || signature.length !== expected.length || !timingSafeEqual(signature, expected))
        return undefined;
    return Buffer.from(body, "base64url");
};
const signPreferences = (key, { category, hash, userId }) => {
    const body = Buffer.concat([Buffer.from(hash, "hex"), Buffer.from(`${category}\n${userId}`)]).toString("base64url");
    return `${body}.${signatureOf(key, body, "preferences").toString("base64url")}`;
};
const verifyPreferences = (key, token) => {
    const bytes = verifiedBody(key, token, "preferences");
    if (bytes === undefined)
        return undefined;
    const [category = "", userId = ""] = bytes.subarray(32).toString().split("\n");
    return { hash: bytes.subarray(0, 32).toString("hex"), category, userId };
};
const sign = (key, { category, hash }) => {
    const body = Buffer.concat([Buffer.from(hash, "hex"), Buffer.from(category)]).toString("base64url");
    return `${body}.${signatureOf(key, body).toString("base64url")}`;
};
const verify = (key, token) => {
    const bytes = verifiedBody(key, token, "unsubscribe");
    if (bytes === undefined)
        return undefined;
    return { hash: bytes.subarray(0, 32).toString("hex"), category: bytes.subarray(32).toString() };
};
/** `GET` and `POST /v1/unsubscribe/{token}`. */
export const routes = HttpRouter.use(Effect.fnUntraced(function* (router) {
    const unsubscribe = yield* UnsubscribeLinks;
    const suppressions = yield* Suppressions;
    const token = Effect.map(HttpRouter.params, ({ token = "" }) => unsubscribe.verify(token));
    yield* router.add("GET", `${path}/:token`, Effect.map(token, (claim) => claim === undefined
        ? unknownLink
        : htmlResponse(200, html `<h1>Unsubscribe</h1>
                <p>Stop receiving mail of the kind “${claim.category}”?</p>
                <form method="post"><button>Unsubscribe</button></form>`.text)));
    yield* router.add("POST", `${path}/:token`, Effect.gen(function* () {
        const claim = yield* token;
        if (claim === undefined)
            return unknownLink;
        const added = yield* Effect.result(suppressions.add(claim.hash, { reason: "unsubscribed", source: "reader" }, claim.category));
        if (added._tag === "Failure") {
            yield* Effect.logError(`an unsubscription could not be stored: ${added.failure.message}`);
            return htmlResponse(503, html `<h1>Try again</h1>
              <p>The request could not be stored. Please try again in a minute.</p>`.text);
        }
        yield* Effect.logInfo("a reader unsubscribed", { category: claim.category });
        return htmlResponse(200, html `<h1>Unsubscribed</h1>
            <p>You will receive no more mail of the kind “${claim.category}”.</p>`.text);
    }));
}));
export const htmlResponse = (status, body, title = "Unsubscribe") => HttpServerResponse.text(page(title, body), {
    status,
    contentType: "text/html; charset=utf-8",
    headers: {
        ...securityHeaders({ "style-src": "'unsafe-inline'", "form-action": "'self'" }),
        "cache-control": "no-store",
    },
});
export const unknownLink = htmlResponse(404, html `<h1>Unknown link</h1>
    <p>This link is incomplete. Copy it again from the mail.</p>`.text);
