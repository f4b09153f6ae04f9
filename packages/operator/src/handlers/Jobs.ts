/** Jobs: list, watch, cancel, retry. The last two are work for the media service, as over HTTP. */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { derivedId } from "@armoricore/domain/Causation"
import { type MediaControl, mediaControlKind, type MediaRetry, mediaRetryKind } from "@armoricore/domain/MediaControl"
import { Effect, Stream } from "effect"
import { NotDone } from "../api/Failures.ts"
import { JobBoard } from "../JobBoard.ts"
import { failing, limitOf, notFound } from "./Failing.ts"

const [usual, most] = [100, 500]
const settleMillis = 500

export const make = Effect.gen(function* () {
  const board = yield* JobBoard
  const bus = yield* EventBus

  const find = Effect.fnUntraced(function* (mediaId: string) {
    return (yield* board.get(mediaId)) ?? (yield* notFound("media", mediaId))
  })

  /** The same wish in the same state is one message. */
  const enqueue = Effect.fnUntraced(function* (
    kind: string,
    payload: MediaControl | MediaRetry,
    because: ReadonlyArray<string>,
  ) {
    const id = derivedId("media", kind, payload.media_id, ...because)
    const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }))
    yield* bus.publish({ address: work("media", kind), id, body })
  })

  return {
    ListJobs: ({ limit, ...filter }: { limit?: number; status?: "processing" | "ready" | "failed"; query?: string }) =>
      failing(board.list({ ...filter, limit: limitOf(limit, usual, most) })),
    WatchJobs: ({
      limit,
      ...filter
    }: {
      limit?: number
      status?: "processing" | "ready" | "failed"
      query?: string
    }) => {
      const list = failing(board.list({ ...filter, limit: limitOf(limit, usual, most) }))
      // Listening first: what changes while the list is made is in the next one.
      const changes = board.changes.pipe(
        Stream.throttle({ cost: () => 1, units: 1, duration: settleMillis, strategy: "shape" }),
      )
      return Stream.merge(Stream.succeed(undefined), changes).pipe(Stream.mapEffect(() => list))
    },
    GetJob: ({ media_id }: { media_id: string }) => failing(Effect.map(find(media_id), ({ job }) => job)),
    CancelJob: ({ media_id }: { media_id: string }) =>
      failing(
        Effect.gen(function* () {
          const { state } = yield* find(media_id)
          if (state.status !== "processing") {
            return yield* new NotDone({
              code: "not_processing",
              message: `this media is ${state.status}; there is nothing to cancel`,
            })
          }
          yield* enqueue(mediaControlKind, { action: "cancel", media_id: state.media_id }, ["cancel", state.cause])
        }),
      ),
    RetryJob: ({ media_id }: { media_id: string }) =>
      failing(
        Effect.gen(function* () {
          const { state } = yield* find(media_id)
          if (state.status !== "failed") {
            return yield* new NotDone({
              code: "not_failed",
              message: `this media is ${state.status}; only what failed is made again`,
            })
          }
          if (state.upload === undefined) {
            return yield* new NotDone({
              code: "upload_unknown",
              message: "what was uploaded is not known any more; it has to be uploaded again",
            })
          }
          yield* enqueue(mediaRetryKind, { media_id: state.media_id, user_id: state.user_id }, [state.cause])
        }),
      ),
  }
})
