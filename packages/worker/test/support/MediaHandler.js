/** A handler of `media.uploaded` that publishes its failures. */
import { emit, on } from "@armoricore/worker";
import { Duration, Effect } from "effect";
export const handler = (handle) => on("media.uploaded", {
    handle: (_, job) => handle(job),
    onFailure: ({ payload }, error, failed_at) => [
        emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at }),
    ],
    timeout: Duration.minutes(10),
});
