/**
 * The owner of a media id: the user of its first upload, or of its first transcript if it has no upload. A deletion leaves
 * the owner, so that no other user can continue a deleted media.
 */
import { InvalidEvent } from "@armoricore/domain/Errors";
import { Effect, Option } from "effect";
import * as Collection from "./Collection.ts";
import { mediaDeletions, mediaStates } from "./MediaStates.ts";
import { transcriptStates } from "./TranscriptStates.ts";
const userOf = (document) => Option.getOrUndefined(document)?.value.user_id;
export const notOwner = (mediaId) => new InvalidEvent({
    reason: "unauthorized",
    path: "payload.media_id",
    message: `the media ${mediaId} belongs to another user than payload.user_id; use the media_id that POST /v1/uploads returned to this user`,
});
export const make = Effect.gen(function* () {
    const states = yield* Collection.make(mediaStates);
    const deletions = yield* Collection.make(mediaDeletions);
    const transcripts = yield* Collection.make(transcriptStates);
    const lookUps = [
        (mediaId) => Effect.map(states.get(mediaId), userOf),
        (mediaId) => Effect.map(deletions.get(mediaId), userOf),
        (mediaId) => Effect.map(transcripts.get(mediaId), userOf),
    ];
    /** Fails with `InvalidEvent` if the media belongs to another user. A media id that nothing is known of is free. */
    const requireOwner = Effect.fn("MediaOwner.requireOwner")(function* ({ media_id, user_id, }) {
        for (const lookUp of lookUps) {
            const owner = yield* lookUp(media_id);
            if (owner === user_id)
                return;
            if (owner !== undefined)
                return yield* notOwner(media_id);
        }
    });
    return { requireOwner };
});
