/** A handler of `media.uploaded` that publishes its failures. */
import { emit, on } from "@armoricore/worker"
import type { HandlerError, HandlerContext } from "@armoricore/worker/Handler"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import { Duration, Effect } from "effect"

export const handler = <R>(
  handle: (job: HandlerContext) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError, R>,
) =>
  on("media.uploaded", {
    handle: (_, job) => handle(job),
    onFailure: ({ payload }, error, failed_at) => [
      emit("media.failed", { media_id: payload.media_id, user_id: payload.user_id, error, failed_at }),
    ],
    timeout: Duration.minutes(10),
  })
