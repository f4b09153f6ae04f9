/** Hears of one media over a real WebSocket, through the official `phoenix` client. */
import { MediaFailed, MediaProgress, MediaReady } from "@armoricore/domain/events/media"
import { Deferred, Effect, Result, Schema } from "effect"
import { type Channel, Socket } from "phoenix"
import { CommandFailed } from "@armoricore/armoricore/app/CommandErrors"

export type MediaReadyPayload = typeof MediaReady.Type

const MediaStateReply = Schema.Struct({
  status: Schema.String,
  ready: Schema.optionalKey(MediaReady),
  failed: Schema.optionalKey(MediaFailed),
})

const decodeReady = Schema.decodeUnknownResult(MediaReady)
const decodeFailed = Schema.decodeUnknownResult(MediaFailed)
const decodeProgress = Schema.decodeUnknownResult(MediaProgress)
const decodeState = Schema.decodeUnknownResult(MediaStateReply)

const processingFailed = ({ error }: typeof MediaFailed.Type) =>
  new CommandFailed({ message: `the file could not be processed (${error.code}): ${error.message}` })

/** Joined when it returns; the inner effect waits for `media.ready` and fails with what `media.failed` says. */
export const watchMedia = Effect.fn("Watch.watch")(function* (
  url: string,
  token: string,
  mediaId: string,
  onProgress: (stage: string, percent: number) => void,
) {
  const joined = yield* Deferred.make<void, CommandFailed>()
  const ready = yield* Deferred.make<MediaReadyPayload, CommandFailed>()
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket })),
    (opened) => Effect.sync(() => opened.disconnect()),
  )
  const subscribe = (channel: Channel) => {
    channel.on("media_progress", (payload) =>
      Result.match(decodeProgress(payload), {
        onFailure: () => {},
        onSuccess: ({ stage, percent }) => onProgress(stage, percent),
      }),
    )
    channel.on("media_ready", (payload) =>
      Deferred.doneUnsafe(ready, Effect.fromResult(Result.mapError(decodeReady(payload), invalidEvent))),
    )
    channel.on("media_failed", (payload) =>
      Result.match(decodeFailed(payload), {
        onFailure: (error) => Deferred.doneUnsafe(ready, Effect.fail(invalidEvent(error))),
        onSuccess: (failure) => Deferred.doneUnsafe(ready, Effect.fail(processingFailed(failure))),
      }),
    )
  }
  yield* Effect.sync(() => {
    socket.connect()
    const channel = socket.channel(`media:${mediaId}`, {})
    subscribe(channel)
    channel
      .join()
      .receive("ok", (reply) => {
        // Also after each reconnect: what was missed meanwhile stands in the reply.
        const state = Result.getOrUndefined(decodeState(reply))
        if (state?.status === "ready" && state.ready !== undefined)
          Deferred.doneUnsafe(ready, Effect.succeed(state.ready))
        if (state?.status === "failed" && state.failed !== undefined)
          Deferred.doneUnsafe(ready, Effect.fail(processingFailed(state.failed)))
        Deferred.doneUnsafe(joined, Effect.void)
      })
      .receive("error", (reply) =>
        Deferred.doneUnsafe(
          joined,
          Effect.fail(new CommandFailed({ message: `media:${mediaId} refused the join: ${JSON.stringify(reply)}` })),
        ),
      )
  })
  yield* Deferred.await(joined).pipe(
    Effect.timeoutOrElse({
      duration: "15 seconds",
      orElse: () =>
        Effect.fail(new CommandFailed({ message: `no WebSocket to ${url}/socket could be opened within 15 s` })),
    }),
  )
  return Deferred.await(ready)
})

const invalidEvent = (error: Schema.SchemaError) =>
  new CommandFailed({ message: `an event over the WebSocket is not as documented: ${error.message}` })
