/** Where a player finds a stored object: a URL of this server (`PlaybackProxy`) or of a CDN (`PlaybackCdn`). */
import { Context, type Effect } from "effect"
import type { ObjectRef } from "./ObjectStorage.ts"

export class PlaybackUrls extends Context.Service<
  PlaybackUrls,
  {
    /**
     * The URL of one object. URLs relative to it lead to objects with the same `permissionPrefix`, so a playlist may
     * name its segments by relative paths.
     */
    readonly urlFor: (ref: ObjectRef) => Effect.Effect<string>
    /** Where players get the content keys of the stream that an object belongs to. */
    readonly keysFor: (ref: ObjectRef) => Effect.Effect<KeysUrl>
  }
>()("@armoricore/storage/PlaybackUrls") {}

export interface KeysUrl {
  /** `GET <url>/<number>` answers with a key, `POST <url>` with a license of ClearKey. */
  readonly url: string
  /** The same, relative to a playlist in a folder of the stream; absent if playlists are on another server. */
  readonly relative?: string
}

/** The folder of the keys below a permission prefix. No object is stored there. */
export const keysFolder = "keys"

/**
 * The prefix that one permission covers: `media/<id>/<version>/`, elsewhere the key's folder; for a key without a
 * folder only the key.
 */
export const permissionPrefix = (key: string): string =>
  /^media\/[^/]+\/[^/]+\//.exec(key)?.[0] ?? (key.includes("/") ? key.slice(0, key.lastIndexOf("/") + 1) : key)

/** A key as part of a URL path; also escapes the wildcards and separators of a CDN's ACL. */
export const encodeKey = (key: string): string =>
  key
    .split("/")
    .map((part) =>
      encodeURIComponent(part).replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join("/")
