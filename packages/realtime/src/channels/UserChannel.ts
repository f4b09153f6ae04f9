/**
 * `user:{user_id}`: the events of one user's jobs and notifications. `JoinPolicy` admits only that user. Results are
 * stored, so that a join replays those that the user missed; progress is not stored and has no `seq`.
 */
import { UserId } from "@armoricore/domain/Ids"
import { Effect, Schema } from "effect"
import * as Channel from "../channel/Channel.ts"
import * as JobEvents from "../pubsub/JobEvents.ts"
import { RoomLog } from "../rooms/RoomLog.ts"
import { historyEvent, replayFields, replayReply, replayReplyFields } from "./MessageFields.ts"

/** A stored event, with the payload that connected clients received. */
export const StoredEvent = Schema.Struct({
  event: Schema.String,
  seq: Schema.Int,
  payload: Schema.Record(Schema.String, Schema.Unknown),
})

export const channel = Channel.make({
  topic: "user:{user_id}",
  params: { user_id: UserId },
  join: {
    payload: Schema.Struct(replayFields),
    reply: Schema.Struct({ events: Schema.Array(StoredEvent), ...replayReplyFields }),
  },
  history: { message: StoredEvent, fromEntry: (entry) => entry },
  client: { history: historyEvent(StoredEvent) },
  server: JobEvents.userEvents,
})

export const layer = channel.toLayer(
  Effect.gen(function* () {
    const roomLog = yield* RoomLog
    return channel.handlers(
      Effect.fnUntraced(function* (user, request) {
        const replay = yield* roomLog.replay(user.topic, request, yield* user.awaitCapacity)
        return { reply: { events: replay.entries, ...replayReply(replay) }, upToSeq: replay.upToSeq }
      }),
      {
        on: {
          history: Effect.fnUntraced(function* (user, request) {
            const { entries, ...page } = yield* roomLog.history(user.topic, request, yield* user.awaitCapacity)
            return { messages: entries, ...page }
          }),
        },
      },
    )
  }),
)
