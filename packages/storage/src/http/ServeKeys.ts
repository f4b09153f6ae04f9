/**
 * The content keys of a protected stream, for players that have its playback token: `GET keys/<number>` answers with the 16
 * bytes of a key, as HLS players expect, and `POST keys` with all keys as a JSON Web Key Set, the license of ClearKey
 * (Encrypted Media Extensions, 9.1).
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { keysFolder } from "../PlaybackUrls.ts"
import { corsHeaders } from "./Cors.ts"
import { ProblemError } from "./Problem.ts"

/** The keys of a media in the order of their numbers; `id` has 32 hexadecimal digits, `key` 16 bytes. */
export type KeysOf = (
  mediaId: string,
) => Effect.Effect<
  ReadonlyArray<{ readonly id: string; readonly key: Uint8Array }>,
  TransientError | ConfigurationError
>

interface KeysPath {
  readonly mediaId: string
  /** Undefined: all keys. */
  readonly number: number | undefined
}

/** The keys that a path below a permission prefix stands for; undefined if it stands for an object. */
export const keysPath = (prefix: string, path: string): KeysPath | undefined => {
  const mediaId = /^media\/([^/]+)\/[^/]+\/$/.exec(prefix)?.[1]
  const match = new RegExp(`^${keysFolder}(?:/([0-9]{1,6}))?$`).exec(path)
  if (mediaId === undefined || match === null) return undefined
  return { mediaId, number: match[1] === undefined ? undefined : Number(match[1]) }
}

/** Keys are for the players of this moment: caches must not store them. */
const headers = { ...corsHeaders, "cache-control": "no-store" }

export const serveKeys = Effect.fnUntraced(function* (
  keysOf: KeysOf = () => Effect.succeed([]),
  request: HttpServerRequest.HttpServerRequest,
  { mediaId, number }: KeysPath,
) {
  const keys = yield* keysOf(mediaId).pipe(
    Effect.tapError((error) => Effect.logWarning("Content keys cannot be read", { media_id: mediaId, error })),
    Effect.mapError(
      () =>
        new ProblemError({
          status: 503,
          title: "Service Unavailable",
          detail: "the content keys cannot be read now; try again",
          headers: { "retry-after": "2" },
        }),
    ),
  )
  const missing = new ProblemError({ status: 404, title: "Not Found", detail: "the stream has no such key" })
  if (keys.length === 0) return yield* missing
  if (number !== undefined) {
    const key = keys[number]?.key
    if (key === undefined || request.method === "POST") return yield* missing
    return HttpServerResponse.uint8Array(key, { headers, contentType: "application/octet-stream" })
  }
  const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url")
  const set = {
    keys: keys.map(({ id, key }) => ({ kty: "oct", kid: base64url(Buffer.from(id, "hex")), k: base64url(key) })),
    type: "temporary",
  }
  return HttpServerResponse.text(JSON.stringify(set), { headers, contentType: "application/json" })
})
