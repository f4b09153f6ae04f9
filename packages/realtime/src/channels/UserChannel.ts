/**
 * `user:{user_id}`: everything that concerns one user, for that user alone (the `JoinPolicy` sees to it). Results are
 * kept for those who were away; progress is not, and has no `seq`.
 */
import { UserId } from "@armoricore/domain/Ids"
import { Effect, Schema } from "effect"
import * as Channel from "../Channel.ts"
import * as Results from "../Results.ts"
import { Timeline } from "../Timeline.ts"
import { wantedFields } from "./Said.ts"

/** One of the events below, as it was sent to those who were there. */
export const KeptEvent = Schema.Struct({
  event: Schema.String,
  seq: Schema.Int,
  payload: Schema.Record(Schema.String, Schema.Unknown),
})

export const UserChannel = Channel.make({
  topic: "user:{user_id}",
  params: { user_id: UserId },
  join: {
    payload: Schema.Struct(wantedFields),
    reply: Schema.Struct({ events: Schema.Array(KeptEvent), recovered: Schema.Boolean }),
  },
  client: {},
  server: Results.ofUser,
})

export const layer = UserChannel.toLayer(
  Effect.gen(function* () {
    const timeline = yield* Timeline
    return UserChannel.handlers(
      Effect.fnUntraced(function* (user, wanted) {
        const { entries, recovered, covers } = yield* timeline.replay(user.topic, wanted)
        return { reply: { events: entries, recovered }, covers }
      }),
      { on: {} },
    )
  }),
)
