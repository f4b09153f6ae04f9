/**
 * Playback through this server, from any storage: `GET /play/<token>/<rest of the key>`.
 *
 * The token is part of the path, because relative segment URLs of a playlist would not carry a query. It covers one
 * bucket and key prefix, and the content keys of a protected stream (`ServeKeys`). Without an expiry it is the same every time, so that caches and a repeated event have the same
 * URL.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Clock, Duration, Effect, Layer, Option, Redacted, Schema } from "effect";
import { preflight } from "./http/Cors.ts";
import { prefixRoute } from "./http/PrefixRoute.ts";
import { ProblemError } from "./http/Problem.ts";
import { serveObject } from "./http/ServeObject.ts";
import { invalidReason } from "./ObjectKey.ts";
import { keysPath, serveKeys } from "./http/ServeKeys.ts";
import { ObjectStorage } from "./ObjectStorage.ts";
import { encodeKey, keysFolder, PlaybackUrls, permissionPrefix } from "./PlaybackUrls.ts";
import { PublicUrl } from "./PublicUrl.ts";
export const layerProxy = (options) => Layer.effect(PlaybackUrls, Effect.map(PublicUrl, (publicUrl) => {
    const urlFor = Effect.fn("PlaybackUrls.urlFor")(function* (ref) {
        const now = yield* Clock.currentTimeMillis;
        const prefix = permissionPrefix(ref.key);
        const expires = options.expiresIn === undefined ? 0 : Math.ceil((now + Duration.toMillis(options.expiresIn)) / 1000);
        const token = sign(options.key, JSON.stringify([ref.bucket, prefix, expires]));
        const rest = prefix.endsWith("/") ? ref.key.slice(prefix.length) : "";
        return `${yield* publicUrl.get}/play/${token}/${encodeKey(rest)}`;
    });
    return {
        urlFor,
        keysFor: (ref) => Effect.map(urlFor({ ...ref, key: `${permissionPrefix(ref.key)}${keysFolder}` }), (url) => ({
            url,
            relative: `../${keysFolder}`,
        })),
    };
}));
/** The routes; `key` must be the one of `layerProxy`. */
export const routes = (options) => prefixRoute("/play/", Effect.map(ObjectStorage, (storage) => ({ path, request }) => {
    if (request.method === "OPTIONS")
        return Effect.succeed(preflight("GET, HEAD, POST"));
    const isLicense = request.method === "POST" && path.endsWith(`/${keysFolder}`);
    if (request.method !== "GET" && request.method !== "HEAD" && !isLicense) {
        return Effect.fail(new ProblemError({
            status: 405,
            title: "Method Not Allowed",
            detail: "use GET or HEAD",
            headers: { allow: "GET, HEAD, OPTIONS" },
        }));
    }
    return Effect.gen(function* () {
        const slash = path.indexOf("/");
        const grant = slash < 0 ? Option.none() : verify(options.key, path.slice(0, slash));
        if (Option.isNone(grant)) {
            return yield* new ProblemError({
                status: 403,
                title: "Forbidden",
                detail: "the playback URL is not valid; request a new one",
            });
        }
        const [bucket, prefix, expires] = grant.value;
        const now = yield* Clock.currentTimeMillis;
        if (expires !== 0 && now >= expires * 1000) {
            return yield* new ProblemError({
                status: 403,
                title: "Forbidden",
                detail: "the URL has expired; request a new one",
            });
        }
        const keys = keysPath(prefix, path.slice(slash + 1));
        if (keys !== undefined)
            return yield* serveKeys(options.keysOf, request, keys);
        const ref = { bucket, key: prefix + decode(path.slice(slash + 1)) };
        if ((!prefix.endsWith("/") && ref.key !== prefix) || invalidReason(ref) !== undefined) {
            return yield* new ProblemError({ status: 404, title: "Not Found", detail: "the object does not exist" });
        }
        return yield* serveObject(storage, ref, request, { cacheControl: "no-cache" });
    });
}));
const Grant = Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.String, Schema.Int]));
const decodeGrant = Schema.decodeUnknownOption(Grant);
const macOf = (key, text) => createHmac("sha256", Redacted.value(key)).update(`play.${text}`).digest().subarray(0, 16);
const sign = (key, text) => `${Buffer.from(text).toString("base64url")}.${macOf(key, text).toString("base64url")}`;
const verify = (key, token) => {
    const [text = "", mac = ""] = token.split(".");
    const claimed = Buffer.from(text, "base64url").toString("utf8");
    const given = Buffer.from(mac, "base64url");
    const right = macOf(key, claimed);
    const valid = given.length === right.length && timingSafeEqual(given, right);
    return valid ? decodeGrant(claimed) : Option.none();
};
/** A path segment that cannot be decoded is used as it is: no key matches it. */
const decode = (path) => {
    try {
        return path.split("/").map(decodeURIComponent).join("/");
    }
    catch {
        return path;
    }
};
