/** The state documents of media: written only by `media`, read by `api` and `realtime`. */
import { MediaDeletion, MediaState } from "@armoricore/domain/MediaState"
import { Duration } from "effect"
import type { Descriptor } from "./Collection.ts"

export const mediaStates: Descriptor<MediaState, typeof MediaState.Encoded> = {
  bucket: { name: "media", maxAge: "never" },
  schema: MediaState,
}

/** The requests to delete media, written only by `media`; stored longer than the bus and its dead letters store events. */
export const mediaDeletions: Descriptor<MediaDeletion, typeof MediaDeletion.Encoded> = {
  bucket: { name: "media_deletions", maxAge: Duration.days(30) },
  schema: MediaDeletion,
}
