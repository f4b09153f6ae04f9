/**
 * `comments:stream:{stream_id}`: comments beside a live stream, many readers, each writer once a second. A reader too
 * slow for them loses some; the numbers of viewers come at most once a second.
 */
import { derivedId } from "@armoricore/domain/Causation"
import { StreamId } from "@armoricore/domain/Ids"
import { Maybe, Timestamp } from "@armoricore/domain/Wire"
import { Clock, Effect, Schema } from "effect"
import * as Channel from "../Channel.ts"
import { CommentRate } from "../CommentRate.ts"
import { Outbox } from "../Outbox.ts"
import { rateLimit } from "../Refusal.ts"
import { Timeline } from "../Timeline.ts"
import { Topics } from "../Topics.ts"
import * as Viewers from "../Viewers.ts"
import * as Said from "./Said.ts"

export const Comment = Schema.Struct({ ...Said.saidFields, stream_id: StreamId })

export const CommentsChannel = Channel.make({
  topic: "comments:stream:{stream_id}",
  params: { stream_id: StreamId },
  join: {
    payload: Schema.Struct(Said.wantedFields),
    reply: Schema.Struct({ comments: Schema.Array(Comment), recovered: Schema.Boolean }),
  },
  client: {
    new_comment: {
      payload: Schema.Struct({
        content: Said.Content,
        /** When it was meant, for comments about a moment of the stream; default now. */
        timestamp: Maybe(Timestamp),
        client_id: Maybe(Said.ClientId),
      }),
      reply: Comment,
    },
  },
  server: {
    new_comment: { payload: Comment, droppable: true },
    comment_removed: { payload: Said.Removed },
    viewer_count: { payload: Schema.Struct({ count: Schema.Int }), droppable: true },
  },
})

const decodeComment = Schema.decodeUnknownEffect(Comment)

export const layer = CommentsChannel.toLayer(
  Effect.gen(function* () {
    const timeline = yield* Timeline
    const topics = yield* Topics
    const outbox = yield* Outbox
    const rate = yield* CommentRate
    const viewers = yield* Viewers.make((topic, count) =>
      topics.deliver(
        topic,
        "viewer_count",
        { count: count() },
        { droppable: true, latest: { topic, event: "viewer_count", payload: () => ({ count: count() }) } },
      ),
    )
    return CommentsChannel.handlers(
      Effect.fnUntraced(function* (stream, wanted) {
        const replay = yield* timeline.replay(stream.topic, wanted)
        const comments = yield* Effect.orDie(Effect.forEach(replay.entries, ({ payload }) => decodeComment(payload)))
        yield* viewers.changed(stream.topic)
        return { reply: { comments, recovered: replay.recovered }, covers: replay.covers }
      }),
      {
        on: {
          // Once it is told it must reach the bus, though its sender hangs up at once: moderation hears of it there.
          new_comment: Effect.fnUntraced(function* (stream, { content, timestamp, client_id }) {
            const { userId } = stream.identity
            const { stream_id } = stream.params
            const wait = yield* rate.take(userId)
            if (wait > 0) return yield* rateLimit(wait)
            const id =
              client_id === undefined ? crypto.randomUUID() : derivedId("comment", stream_id, userId, client_id)
            const at = timestamp ?? new Date(yield* Clock.currentTimeMillis).toISOString()
            const posted = yield* timeline.post(stream.topic, {
              event: "new_comment",
              id,
              payload: { id, content, user_id: userId, stream_id, timestamp: at },
              droppable: true,
            })
            const comment = yield* Effect.orDie(decodeComment(posted.payload))
            yield* outbox.offer("comment.created", id, {
              comment_id: id,
              stream_id,
              user_id: userId,
              content: comment.content,
              timestamp: comment.timestamp,
            })
            return comment
          }, Effect.uninterruptible),
        },
        leave: (stream) => viewers.changed(stream.topic),
      },
    )
  }),
)
