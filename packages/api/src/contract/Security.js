import { Context } from "effect";
import { HttpApiMiddleware, HttpApiSecurity, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
/** The user or backend that sends the request. */
export class CurrentIdentity extends Context.Service()("@armoricore/api/CurrentIdentity") {
}
const bearer = HttpApiSecurity.bearer.pipe(HttpApiSecurity.annotateMerge(OpenApi.annotations({ description: "A JWT with `user_id` (or `sub`) and `exp`." })));
/** A valid, unrevoked token. */
export class Authentication extends HttpApiMiddleware.Service()("@armoricore/api/Authentication", { security: { bearer }, error: problems(401, 503) }) {
}
/**
 * A token with the role `publisher`, or a signature of the body. The middleware only declares both: the handler of
 * `POST /v1/events` verifies them, since a signature covers the raw body.
 */
export class PublisherCredentials extends HttpApiMiddleware.Service()("@armoricore/api/PublisherCredentials", {
    security: {
        bearer,
        signature: HttpApiSecurity.apiKey({ in: "header", key: "Armoricore-Signature" }).pipe(HttpApiSecurity.annotateMerge(OpenApi.annotations({
            description: "`keyid=…,t=…,v1=…`: HMAC-SHA256 over the body with a key of `EVENT_SIGNING_KEYS`.",
        }))),
    },
    error: problems(401, 503),
}) {
}
/** Adds `cache-control: no-store` to successful responses. Problems always have it. */
export class NoStore extends HttpApiMiddleware.Service()("@armoricore/api/NoStore") {
}
