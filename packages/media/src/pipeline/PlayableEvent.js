import { Effect, Schedule } from "effect";
import { versionFromPrefix } from "../record/MediaRecord.ts";
/** The event of a finished version. */
export const fromReady = (ready, prefix) => ({
    payload: {
        media_id: ready.media_id,
        user_id: ready.user_id,
        playback_urls: { hls: ready.playback_urls.hls, mp4: {} },
    },
    discriminator: versionFromPrefix(prefix),
});
/**
 * Publishes the event of a version whose provisional master playlist is in storage, if this attempt is still the current
 * one. Returns whether the event was published.
 */
export const publishIfCurrent = (record, urlFor) => Effect.fn("PlayableEvent.publishIfCurrent")(function* (event, attempt, master, publishPlayable) {
    const hls = yield* urlFor(master);
    const { media_id, user_id } = event.payload;
    const payload = { media_id, user_id, playback_urls: { hls, mp4: {} } };
    if (!(yield* record.markPlayable(event, attempt, payload)))
        return false;
    yield* publishPlayable({ payload, discriminator: versionFromPrefix(attempt.prefix) });
    // A worker that dies before this leaves the event to the result, which has the same id.
    yield* record.markPlayablePublished(event, attempt);
    return true;
}, 
// Bus and state may be unavailable for a moment. If the job ends first, its result includes the event.
Effect.retry({
    while: (error) => error._tag === "TransientError" && error.countsAsAttempt !== false,
    schedule: Schedule.spaced("2 seconds"),
}), Effect.catch((error) => Effect.as(Effect.logDebug("media.playable could not be published", { error }), false)));
