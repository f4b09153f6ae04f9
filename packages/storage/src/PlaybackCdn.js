/**
 * Playback from a CDN whose origin is the bucket: `<CDN_BASE_URL>/<key>`, with Akamai EdgeAuth if a key is set.
 *
 * The token is a query parameter of the published URL (`?hdnts=…`, its ACL covers the whole prefix), as Akamai expects.
 * Relative segment URLs of a playlist do not carry the query and need not: with Token Authentication the edge answers
 * the first request with its own session token, in a cookie or, with "Token in URI", in the rewritten playlist. A token
 * that we put into the path would need rules of the property's owner instead. Enable "Token in URI" if players run on
 * other sites, because browsers drop those cookies.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Clock, Duration, Effect, Layer, Redacted } from "effect";
import { isKey, token } from "./EdgeAuth.ts";
import { encodeKey, PlaybackUrls, permissionPrefix } from "./PlaybackUrls.ts";
export const layerCdn = ({ baseUrl, edgeAuth, keysFor }) => Layer.effect(PlaybackUrls, Effect.gen(function* () {
    if (edgeAuth !== undefined && !isKey(Redacted.value(edgeAuth.key))) {
        return yield* new ConfigurationError({
            setting: "AKAMAI_EDGEAUTH_KEY",
            message: "AKAMAI_EDGEAUTH_KEY must have at most 32 hexadecimal digits, an even number",
        });
    }
    if (!URL.canParse(baseUrl)) {
        return yield* new ConfigurationError({
            setting: "CDN_BASE_URL",
            message: "CDN_BASE_URL must be a URL such as https://media.example.com",
        });
    }
    const base = baseUrl.replace(/\/+$/, "");
    const basePath = new URL(base).pathname.replace(/\/+$/, "");
    return {
        keysFor: (ref) => Effect.map(keysFor(ref), ({ url }) => ({ url })),
        urlFor: Effect.fn("PlaybackUrls.urlFor")(function* (ref) {
            const url = `${base}/${encodeKey(ref.key)}`;
            if (edgeAuth === undefined)
                return url;
            const now = yield* Clock.currentTimeMillis;
            const prefix = permissionPrefix(ref.key);
            const path = `${basePath}/${encodeKey(prefix)}`;
            const signed = token({
                key: edgeAuth.key,
                expires: Math.floor((now + Duration.toMillis(edgeAuth.expiresIn)) / 1000),
                grant: { acl: [prefix.endsWith("/") ? `${path}*` : path] },
            });
            return `${url}?${edgeAuth.name}=${signed}`;
        }),
    };
}));
