/**
 * `user:{user_id}`: everything that concerns one user, for that user alone. Nothing is kept yet for those who were
 * away: a join that asks for what came `since` hears `recovered: false` and should ask the HTTP API instead.
 */
import { UserId } from "@armoricore/domain/Ids"
import { Count, Maybe } from "@armoricore/domain/Wire"
import { Effect, Schema } from "effect"
import * as Channel from "../Channel.ts"
import { unauthorized } from "../Refusal.ts"
import * as Results from "../Results.ts"

export const UserChannel = Channel.make({
  topic: "user:{user_id}",
  params: { user_id: UserId },
  join: {
    payload: Schema.Struct({ since: Maybe(Count), last: Maybe(Count) }),
    reply: Schema.Struct({ events: Schema.Array(Schema.Json), recovered: Schema.Boolean }),
  },
  client: {},
  server: { ...Results.ofMedia, ...Results.ofUser },
})

export const layer = UserChannel.toLayer(
  Effect.succeed(
    UserChannel.handlers(
      (user, { since }) =>
        user.params.user_id === user.identity.userId
          ? Effect.succeed({ reply: { events: [], recovered: since === undefined } })
          : Effect.fail(unauthorized("this topic is another user's")),
      { on: {} },
    ),
  ),
)
