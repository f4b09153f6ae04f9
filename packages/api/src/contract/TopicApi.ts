/** Topics for backends and operators: their messages and members, without a socket. */
import { UserId } from "@armoricore/domain/Ids"
import { PhpObject } from "@armoricore/domain/JsonCodecs"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "../Problem.ts"
import { firstOf } from "./QueryParameter.ts"
import { NoStore, PublisherCredentials } from "./Security.ts"

const topic = {
  topic: Schema.String.annotate({ description: "For example `chat:room:lobby`, percent-encoded." }),
}

export const TopicMessages = Schema.Struct({
  messages: Schema.Array(Schema.Record(Schema.String, Schema.Unknown)).annotate({
    description: "Ascending by `seq`, each as the channel sends it to its clients.",
  }),
  more: Schema.Boolean.annotate({
    description: "Messages follow the page: later ones after a request with `after`, otherwise earlier ones.",
  }),
  recovered: Schema.Boolean.annotate({
    description: "False: a message between `after` and the page is no longer stored. Always true without `after`.",
  }),
}).annotate({ identifier: "TopicMessages" })

export const TopicPresence = Schema.Struct({
  count: Schema.Int.annotate({ description: "Users that are present." }),
  users: Schema.Record(
    Schema.String,
    Schema.Struct({
      metas: Schema.Array(Schema.Struct({ phx_ref: Schema.String, status: Schema.String, online_at: Schema.String })),
    }),
  ).annotate({
    description: "By user id, one meta for each of the user's joins. Empty in a room with more users than are listed.",
  }),
}).annotate({ identifier: "TopicPresence" })

/** The names of Phoenix and of presence, which only the server sends. */
const reservedEvent = /^(?:phx_|presence_)/

export const TopicEvent = Schema.Struct({
  event: Schema.String.check(
    Schema.isMinLength(1),
    Schema.isMaxLength(64),
    Schema.makeFilter((name: string) => !reservedEvent.test(name) || "must not begin with phx_ or presence_"),
  ).annotate({ description: "An event of the channel, such as `new_message`, or any other name for a live event." }),
  payload: PhpObject(Schema.Record(Schema.String, Schema.Unknown)),
  as: Schema.optionalKey(
    UserId.annotate({ description: "The user who sends a message that is stored. Default: the token's user." }),
  ),
  client_id: Schema.optionalKey(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(128)).annotate({
      description: "Of a message that is stored: a repetition with the same id returns the first message.",
    }),
  ),
}).annotate({ identifier: "TopicEvent" })

export const TopicEvents = Schema.Union([
  TopicEvent,
  Schema.Array(TopicEvent).check(Schema.isMinLength(1), Schema.isMaxLength(100)),
])

export const TopicReceipt = Schema.Struct({
  id: Schema.String,
  seq: Schema.optionalKey(Schema.Int.annotate({ description: "Only of an event that is stored." })),
}).annotate({ identifier: "TopicReceipt" })

export const KickRequest = Schema.Struct({
  user_id: UserId,
  reason: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(200)).annotate({ description: "For the client." })),
})

export const DisconnectRequest = Schema.Struct({ reason: KickRequest.fields.reason })

export const Kicked = Schema.Struct({
  kicked: Schema.Int.annotate({ description: "Sockets that were closed, or removed from the topic." }),
  unresponsive: Schema.Array(Schema.String).annotate({ description: "Nodes that did not reply in time." }),
}).annotate({ identifier: "Kicked" })

export class TopicApi extends HttpApiGroup.make("topics")
  .add(
    HttpApiEndpoint.get("messages", "/v1/topics/:topic/messages", {
      params: topic,
      query: {
        before: firstOf("The latest messages before this `seq`. Without `before` and `after`: the latest messages."),
        after: firstOf("The oldest messages after this `seq`."),
        limit: firstOf("Messages per page, at most 1,000; default 50. A page has about 1 MB at most."),
      },
      success: TopicMessages,
      error: problems(401, 403, 404, 422, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Read the messages of a topic",
        description:
          "Role `publisher` or `operator`, or a signature of the empty body. Of a topic without a history: 422.",
      }),
    ),
    HttpApiEndpoint.get("presence", "/v1/topics/:topic/presence", {
      params: topic,
      success: TopicPresence,
      error: problems(401, 403, 404, 422, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "List the users that are present on a topic",
        description:
          "Role `publisher` or `operator`, or a signature of the empty body. Of a topic without presence: 422.",
      }),
    ),
    HttpApiEndpoint.post("publish", "/v1/topics/:topic/events", {
      params: topic,
      payload: TopicEvents,
      success: Schema.Union([TopicReceipt, Schema.Array(TopicReceipt)]).pipe(HttpApiSchema.status(202)),
      error: problems(400, 401, 403, 404, 413, 422, 429, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Publish events to a topic",
        description:
          "A message of a topic with a history (`new_message`, `new_comment`) is stored, checked and announced as if the " +
          "user of `as` had sent it. Any other event is live only. An array is published in its order, up to its first " +
          "refusal, whose `path` begins with its index. Role `publisher`, or a signature.",
      }),
    ),
    HttpApiEndpoint.post("kick", "/v1/topics/:topic/kick", {
      params: topic,
      payload: KickRequest,
      success: Kicked,
      error: problems(400, 401, 403, 404, 413, 422, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Remove a user from a topic",
        description: "The user's sockets stay open, and the user may join again. Role `publisher` or `operator`.",
      }),
    ),
    HttpApiEndpoint.post("disconnect", "/v1/users/:id/disconnect", {
      params: { id: Schema.String.annotate({ description: "The user id, percent-encoded." }) },
      payload: DisconnectRequest,
      success: Kicked,
      error: problems(400, 401, 403, 413, 422, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Close the sockets of a user",
        description: "The user may connect again. Role `publisher` or `operator`.",
      }),
    ),
  )
  .middleware(PublisherCredentials)
  .middleware(NoStore)
  .annotateMerge(OpenApi.annotations({ title: "Topics" })) {}
