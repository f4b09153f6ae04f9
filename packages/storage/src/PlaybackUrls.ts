/**
 * Where a player finds what is in the storage: an address on this server (`PlaybackProxy`) or at a CDN (`PlaybackCdn`).
 */
import { Context, type Effect } from "effect"
import type { ObjectRef } from "./ObjectStorage.ts"

export class PlaybackUrls extends Context.Service<
  PlaybackUrls,
  {
    /**
     * The address of one object. Addresses relative to it lead to its neighbours below the same `prefixOf`, so a
     * playlist may name its segments as they lie in the storage.
     */
    readonly urlFor: (ref: ObjectRef) => Effect.Effect<string>
  }
>()("@armoricore/storage/PlaybackUrls") {}

/**
 * What one permission covers: `media/<id>/<version>/`, or the key's own folder elsewhere; a key without a folder only
 * itself.
 */
export const permissionPrefix = (key: string): string =>
  /^media\/[^/]+\/[^/]+\//.exec(key)?.[0] ?? (key.includes("/") ? key.slice(0, key.lastIndexOf("/") + 1) : key)

/** A key as it stands in a URL's path; also without the characters that are wildcards and separators in a CDN's ACL. */
export const encodeKey = (key: string): string =>
  key
    .split("/")
    .map((part) =>
      encodeURIComponent(part).replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join("/")
