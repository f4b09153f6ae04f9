/** Removes deleted objects from the caches of a CDN. Segments are cached for a year, so a deletion alone would leave them there. */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Context, type Effect } from "effect"

export interface CdnPurge {
  /** The keys of objects of the bucket that the CDN serves. Repeating it is safe. */
  readonly purge: (keys: ReadonlyArray<string>) => Effect.Effect<void, TransientError | ConfigurationError>
}

/** Undefined: no CDN, or one whose caches this program does not purge. */
export const CdnPurge = Context.Reference<CdnPurge | undefined>("@armoricore/storage/CdnPurge", {
  defaultValue: () => undefined,
})
