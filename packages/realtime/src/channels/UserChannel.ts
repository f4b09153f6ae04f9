/**
 * `user:{user_id}`: everything that concerns one user, for that user alone (the `JoinPolicy` sees to it). Results are
 * kept for those who were away; progress is not, and has no `seq`.
 */
import { UserId } from "@armoricore/domain/Ids"
import { Effect, Schema } from "effect"
import * as Channel from "../channel/Channel.ts"
import * as JobEvents from "../pubsub/JobEvents.ts"
import { RoomLog } from "../rooms/RoomLog.ts"
import { replayFields } from "./MessageFields.ts"

/** One of the events below, as it was sent to those who were there. */
export const StoredEvent = Schema.Struct({
  event: Schema.String,
  seq: Schema.Int,
  payload: Schema.Record(Schema.String, Schema.Unknown),
})

export const UserChannel = Channel.make({
  topic: "user:{user_id}",
  params: { user_id: UserId },
  join: {
    payload: Schema.Struct(replayFields),
    reply: Schema.Struct({ events: Schema.Array(StoredEvent), recovered: Schema.Boolean }),
  },
  client: {},
  server: JobEvents.userEvents,
})

export const layer = UserChannel.toLayer(
  Effect.gen(function* () {
    const roomLog = yield* RoomLog
    return UserChannel.handlers(
      Effect.fnUntraced(function* (user, request) {
        const { entries, recovered, upToSeq } = yield* roomLog.replay(user.topic, request)
        return { reply: { events: entries, recovered }, upToSeq }
      }),
      { on: {} },
    )
  }),
)
