/** Where a player finds a stored object: a URL of this server (`PlaybackProxy`) or of a CDN (`PlaybackCdn`). */
import { Context } from "effect";
export class PlaybackUrls extends Context.Service()("@armoricore/storage/PlaybackUrls") {
}
/** The folder of the keys below a permission prefix. No object is stored there. */
export const keysFolder = "keys";
/**
 * The prefix that one permission covers: `media/<id>/<version>/`, elsewhere the key's folder; for a key without a
 * folder only the key.
 */
export const permissionPrefix = (key) => /^media\/[^/]+\/[^/]+\//.exec(key)?.[0] ?? (key.includes("/") ? key.slice(0, key.lastIndexOf("/") + 1) : key);
/** A key as part of a URL path; also escapes the wildcards and separators of a CDN's ACL. */
export const encodeKey = (key) => key
    .split("/")
    .map((part) => encodeURIComponent(part).replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`))
    .join("/");
