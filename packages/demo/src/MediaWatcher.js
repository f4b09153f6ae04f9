/** Watches one media over a WebSocket with the official `phoenix` client. */
import { MediaFailed, MediaProgress, MediaReady } from "@armoricore/domain/events/media";
import { Deferred, Effect, Result, Schema } from "effect";
import { Socket } from "phoenix";
import { DemoFailed } from "./DemoFailed.ts";
const MediaStateReply = Schema.Struct({
    status: Schema.String,
    ready: Schema.optionalKey(MediaReady),
    failed: Schema.optionalKey(MediaFailed),
});
const decodeReady = Schema.decodeUnknownResult(MediaReady);
const decodeFailed = Schema.decodeUnknownResult(MediaFailed);
const decodeProgress = Schema.decodeUnknownResult(MediaProgress);
const decodeState = Schema.decodeUnknownResult(MediaStateReply);
const processingFailed = ({ error }) => new DemoFailed({ message: `cannot process the file (${error.code}): ${error.message}` });
/**
 * Joins `media:{id}` and returns once the join is accepted. The inner effect waits for `media.ready`, and fails with the
 * error of `media.failed`.
 */
export const watchMedia = Effect.fn("MediaWatcher.watchMedia")(function* (url, token, mediaId, onProgress) {
    const joined = yield* Deferred.make();
    const ready = yield* Deferred.make();
    const socket = yield* Effect.acquireRelease(Effect.sync(() => new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket })), (opened) => Effect.sync(() => opened.disconnect()));
    const subscribe = (channel) => {
        channel.on("media_progress", (payload) => Result.match(decodeProgress(payload), {
            onFailure: () => { },
            onSuccess: ({ stage, percent }) => onProgress(stage, percent),
        }));
        channel.on("media_ready", (payload) => Deferred.doneUnsafe(ready, Effect.fromResult(Result.mapError(decodeReady(payload), invalidEvent))));
        channel.on("media_failed", (payload) => Result.match(decodeFailed(payload), {
            onFailure: (error) => Deferred.doneUnsafe(ready, Effect.fail(invalidEvent(error))),
            onSuccess: (failure) => Deferred.doneUnsafe(ready, Effect.fail(processingFailed(failure))),
        }));
    };
    yield* Effect.sync(() => {
        socket.connect();
        const channel = socket.channel(`media:${mediaId}`, {});
        subscribe(channel);
        channel
            .join()
            .receive("ok", (reply) => {
            // phoenix joins again after a reconnect; the reply then has the state that the socket missed.
            const state = Result.getOrUndefined(decodeState(reply));
            if (state?.status === "ready" && state.ready !== undefined)
                Deferred.doneUnsafe(ready, Effect.succeed(state.ready));
            if (state?.status === "failed" && state.failed !== undefined)
                Deferred.doneUnsafe(ready, Effect.fail(processingFailed(state.failed)));
            Deferred.doneUnsafe(joined, Effect.void);
        })
            .receive("error", (reply) => Deferred.doneUnsafe(joined, Effect.fail(new DemoFailed({ message: `cannot join media:${mediaId}: ${JSON.stringify(reply)}` }))));
    });
    yield* Deferred.await(joined).pipe(Effect.timeoutOrElse({
        duration: "15 seconds",
        orElse: () => Effect.fail(new DemoFailed({ message: `cannot open a WebSocket to ${url}/socket within 15 s` })),
    }));
    return Deferred.await(ready);
});
const invalidEvent = (error) => new DemoFailed({ message: `a WebSocket event does not match its schema: ${error.message}` });
