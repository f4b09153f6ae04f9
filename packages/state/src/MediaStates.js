/** The state documents of media: written only by `media`, read by `api` and `realtime`. */
import { MediaDeletion, MediaState } from "@armoricore/domain/MediaState";
import { Duration } from "effect";
export const mediaStates = {
    bucket: { name: "media", maxAge: "never" },
    schema: MediaState,
};
/** The requests to delete media, written only by `media`; stored longer than the bus and its dead letters store events. */
export const mediaDeletions = {
    bucket: { name: "media_deletions", maxAge: Duration.days(30) },
    schema: MediaDeletion,
};
