/** Hears of one media over a real WebSocket, through the official `phoenix` client. */
import { MediaFailed, MediaProgress, MediaReady } from "@armoricore/domain/events/media"
import { Deferred, Effect, Result, Schema } from "effect"
import { type Channel, Socket } from "phoenix"
import { CommandFailed } from "../Failure.ts"

export type Ready = typeof MediaReady.Type

const State = Schema.Struct({
  status: Schema.String,
  ready: Schema.optionalKey(MediaReady),
  failed: Schema.optionalKey(MediaFailed),
})

const readReady = Schema.decodeUnknownResult(MediaReady)
const readFailed = Schema.decodeUnknownResult(MediaFailed)
const readProgress = Schema.decodeUnknownResult(MediaProgress)
const readState = Schema.decodeUnknownResult(State)

const failedWith = ({ error }: typeof MediaFailed.Type) =>
  new CommandFailed({ message: `the file could not be processed (${error.code}): ${error.message}` })

/** Joined when it returns; the inner effect waits for `media.ready` and fails with what `media.failed` says. */
export const watch = Effect.fn("Watch.watch")(function* (
  url: string,
  token: string,
  mediaId: string,
  onProgress: (stage: string, percent: number) => void,
) {
  const joined = yield* Deferred.make<void, CommandFailed>()
  const ready = yield* Deferred.make<Ready, CommandFailed>()
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket })),
    (opened) => Effect.sync(() => opened.disconnect()),
  )
  const hear = (channel: Channel) => {
    channel.on("media_progress", (payload) =>
      Result.match(readProgress(payload), {
        onFailure: () => {},
        onSuccess: ({ stage, percent }) => onProgress(stage, percent),
      }),
    )
    channel.on("media_ready", (payload) =>
      Deferred.doneUnsafe(ready, Effect.fromResult(Result.mapError(readReady(payload), unreadable))),
    )
    channel.on("media_failed", (payload) =>
      Result.match(readFailed(payload), {
        onFailure: (error) => Deferred.doneUnsafe(ready, Effect.fail(unreadable(error))),
        onSuccess: (failure) => Deferred.doneUnsafe(ready, Effect.fail(failedWith(failure))),
      }),
    )
  }
  yield* Effect.sync(() => {
    socket.connect()
    const channel = socket.channel(`media:${mediaId}`, {})
    hear(channel)
    channel
      .join()
      .receive("ok", (reply) => {
        // Also after each reconnect: what was missed meanwhile stands in the reply.
        const state = Result.getOrUndefined(readState(reply))
        if (state?.status === "ready" && state.ready !== undefined)
          Deferred.doneUnsafe(ready, Effect.succeed(state.ready))
        if (state?.status === "failed" && state.failed !== undefined)
          Deferred.doneUnsafe(ready, Effect.fail(failedWith(state.failed)))
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

const unreadable = (error: Schema.SchemaError) =>
  new CommandFailed({ message: `an event over the WebSocket is not as documented: ${error.message}` })
