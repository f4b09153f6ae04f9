/**
 * Playback from a CDN whose origin is the bucket: `<CDN_BASE_URL>/<key>`, with Akamai EdgeAuth where a key is set.
 *
 * How the token travels: as the query of the address we hand out (`?hdnts=…`, its ACL covers the whole prefix), which
 * is where Akamai expects it. A playlist's relative segments do not carry a query, and they need not: with Token
 * Authentication the edge answers the first request with a session token of its own, in a cookie or, with "Token in
 * URI", in the paths of the playlist that it rewrites. A token that we put into the path ourselves would need rules of
 * the property's owner instead. Set "Token in URI" where players run on other sites, since browsers drop such cookies.
 */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Layer, Redacted } from "effect"
import { isKey, token } from "./EdgeAuth.ts"
import { encodeKey, PlaybackUrls, permissionPrefix } from "./PlaybackUrls.ts"

export interface CdnOptions {
  /** Without query, for example `https://media.example.com`. */
  readonly baseUrl: string
  readonly edgeAuth?: {
    /** Hexadecimal. */
    readonly key: Redacted.Redacted<string>
    readonly expiresIn: Duration.Duration
    /** Of the query parameter: `hdnts`, `__token__`, … */
    readonly name: string
  }
}

export const layerCdn = ({ baseUrl, edgeAuth }: CdnOptions): Layer.Layer<PlaybackUrls, ConfigurationError> =>
  Layer.effect(
    PlaybackUrls,
    Effect.gen(function* () {
      if (edgeAuth !== undefined && !isKey(Redacted.value(edgeAuth.key))) {
        return yield* new ConfigurationError({
          setting: "AKAMAI_EDGEAUTH_KEY",
          message: "AKAMAI_EDGEAUTH_KEY has to be up to 32 hexadecimal digits, an even number of them",
        })
      }
      if (!URL.canParse(baseUrl)) {
        return yield* new ConfigurationError({
          setting: "CDN_BASE_URL",
          message: "CDN_BASE_URL has to be an address such as https://media.example.com",
        })
      }
      const base = baseUrl.replace(/\/+$/, "")
      const basePath = new URL(base).pathname.replace(/\/+$/, "")
      return {
        urlFor: Effect.fn("PlaybackUrls.urlFor")(function* (ref) {
          const url = `${base}/${encodeKey(ref.key)}`
          if (edgeAuth === undefined) return url
          const now = yield* Clock.currentTimeMillis
          const prefix = permissionPrefix(ref.key)
          const path = `${basePath}/${encodeKey(prefix)}`
          const signed = token({
            key: edgeAuth.key,
            expires: Math.floor((now + Duration.toMillis(edgeAuth.expiresIn)) / 1000),
            grant: { acl: [prefix.endsWith("/") ? `${path}*` : path] },
          })
          return `${url}?${edgeAuth.name}=${signed}`
        }),
      }
    }),
  )
