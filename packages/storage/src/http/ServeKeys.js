import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { keysFolder } from "../PlaybackUrls.ts";
import { corsHeaders } from "./Cors.ts";
import { ProblemError } from "./Problem.ts";
/** The keys that a path below a permission prefix stands for; undefined if it stands for an object. */
export const keysPath = (prefix, path) => {
    const mediaId = /^media\/([^/]+)\/[^/]+\/$/.exec(prefix)?.[1];
    const match = new RegExp(`^${keysFolder}(?:/([0-9]{1,6}))?$`).exec(path);
    if (mediaId === undefined || match === null)
        return undefined;
    return { mediaId, number: match[1] === undefined ? undefined : Number(match[1]) };
};
/** Keys are for the players of this moment: caches must not store them. */
const headers = { ...corsHeaders, "cache-control": "no-store" };
export const serveKeys = Effect.fnUntraced(function* (keysOf = () => Effect.succeed([]), request, { mediaId, number }) {
    const keys = yield* keysOf(mediaId).pipe(Effect.tapError((error) => Effect.logWarning("Content keys cannot be read", { media_id: mediaId, error })), Effect.mapError(() => new ProblemError({
        status: 503,
        title: "Service Unavailable",
        detail: "the content keys cannot be read now; try again",
        headers: { "retry-after": "2" },
    })));
    const missing = new ProblemError({ status: 404, title: "Not Found", detail: "the stream has no such key" });
    if (keys.length === 0)
        return yield* missing;
    if (number !== undefined) {
        const key = keys[number]?.key;
        if (key === undefined || request.method === "POST")
            return yield* missing;
        return HttpServerResponse.uint8Array(key, { headers, contentType: "application/octet-stream" });
    }
    const base64url = (bytes) => Buffer.from(bytes).toString("base64url");
    const set = {
        keys: keys.map(({ id, key }) => ({ kty: "oct", kid: base64url(Buffer.from(id, "hex")), k: base64url(key) })),
        type: "temporary",
    };
    return HttpServerResponse.text(JSON.stringify(set), { headers, contentType: "application/json" });
});
