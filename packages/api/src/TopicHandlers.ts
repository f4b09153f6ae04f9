/**
 * `/v1/topics/{topic}/…` and `/v1/users/{id}/disconnect`: what a backend or an operator does with topics and sockets. A GET
 * may be signed as well: its body is empty.
 */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import type { SigningKeys } from "@armoricore/domain/Signature"
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin"
import { type ChannelError, reasons } from "@armoricore/realtime/channel/ChannelError"
import { TopicAccess } from "@armoricore/realtime/topics/TopicAccess"
import { Effect, Schema } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { DisconnectRequest, KickRequest, type TopicEvent, TopicEvents, TopicReceipt } from "./contract/TopicApi.ts"
import { type ApiError, asProblem, problem, ProblemError } from "./Problem.ts"
import { authenticatedBody } from "./PublisherAuthentication.ts"
import { wholeNumber } from "./QueryNumber.ts"
import * as RequestBody from "./RequestBody.ts"

export interface TopicsOptions {
  readonly signingKeys: SigningKeys
}

const maxRequestBytes = 16_384
const maxEventBytes = 1_048_576
const maxLimit = 1_000

interface PageQuery {
  readonly before?: string
  readonly after?: string
  readonly limit?: string
}

export const layer = ({ signingKeys }: TopicsOptions) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "topics",
    Effect.fnUntraced(function* (handlers) {
      const context = yield* Effect.context<Tokens | Revocations>()
      const topics = yield* TopicAccess
      const admin = yield* RealtimeAdmin
      const respond = <A>(handler: Effect.Effect<A, ApiError, Tokens | Revocations>) =>
        asProblem(Effect.provideContext(handler, context))

      const authenticated = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.map(
          authenticatedBody(request, { signingKeys, roles: ["publisher", "operator"], maxBytes: maxRequestBytes }),
          ({ body }) => body,
        )

      const findTopic = (topic: string) => {
        const found = topics.find(topic)
        return found === undefined
          ? Effect.fail(problem(404, "unknown_topic", `no channel has the topic ${topic}; check its spelling`, "topic"))
          : Effect.succeed(found)
      }

      const messages = Effect.fn("TopicApi.messages")(function* (
        request: HttpServerRequest.HttpServerRequest,
        topic: string,
        query: PageQuery,
      ) {
        yield* authenticated(request)
        const found = yield* findTopic(topic)
        if (found.messages === undefined) {
          return yield* problem(422, "no_history", `the messages of ${topic} are not stored`, "topic")
        }
        const before = yield* wholeNumber("before", query.before, 0)
        const after = yield* wholeNumber("after", query.after, 0)
        const limit = yield* wholeNumber("limit", query.limit, 1, maxLimit)
        if (before !== undefined && after !== undefined) {
          return yield* problem(422, "invalid", "before and after exclude each other: send one of them", "after")
        }
        return HttpServerResponse.jsonUnsafe(yield* found.messages({ before, after, limit }))
      })

      const presence = Effect.fn("TopicApi.presence")(function* (
        request: HttpServerRequest.HttpServerRequest,
        topic: string,
      ) {
        yield* authenticated(request)
        const found = yield* findTopic(topic)
        if (found.presence === undefined) {
          return yield* problem(422, "no_presence", `the topic ${topic} has no presence`, "topic")
        }
        return HttpServerResponse.jsonUnsafe(yield* found.presence)
      })

      const publish = Effect.fn("TopicApi.publish")(function* (
        request: HttpServerRequest.HttpServerRequest,
        topic: string,
      ) {
        const { body, identity } = yield* authenticatedBody(request, {
          signingKeys,
          roles: ["publisher"],
          maxBytes: maxEventBytes,
        })
        const decoded = yield* RequestBody.decode(TopicEvents, body)
        const found = yield* findTopic(topic)
        const publishOne = Effect.fnUntraced(function* (item: typeof TopicEvent.Type, place: string) {
          if (found.memberEvents.includes(item.event)) {
            const others = found.events.length === 0 ? "" : `; a backend may send ${found.events.join(", ")}`
            return yield* problem(
              422,
              "invalid",
              `the event ${item.event} is for clients that joined the topic${others}`,
              `${place}event`,
            )
          }
          if (!found.events.includes(item.event)) {
            yield* found.broadcast(item.event, item.payload)
            return { id: item.client_id ?? crypto.randomUUID() }
          }
          const userId = item.as ?? identity?.userId
          if (userId === undefined) {
            return yield* problem(
              422,
              "invalid",
              "as is missing: it names the user who sends the message",
              `${place}as`,
            )
          }
          const payload = item.client_id === undefined ? item.payload : { ...item.payload, client_id: item.client_id }
          const reply = yield* Effect.mapError(found.send(userId, item.event, payload), (error) =>
            channelProblem(error, place),
          )
          return yield* Effect.orDie(Schema.decodeUnknownEffect(TopicReceipt)(reply))
        })
        const receipts = isBatch(decoded)
          ? yield* Effect.forEach(decoded, (item, index) => publishOne(item, `${index}.`))
          : yield* publishOne(decoded, "")
        return HttpServerResponse.jsonUnsafe(receipts, { status: 202 })
      })

      const kick = Effect.fn("TopicApi.kick")(function* (request: HttpServerRequest.HttpServerRequest, topic: string) {
        const body = yield* RequestBody.decode(KickRequest, yield* authenticated(request))
        yield* findTopic(topic)
        return yield* admin.kick({ userId: body.user_id }, { reason: body.reason ?? "kicked", topic })
      })

      const disconnect = Effect.fn("TopicApi.disconnect")(function* (
        request: HttpServerRequest.HttpServerRequest,
        userId: string,
      ) {
        const bytes = yield* authenticated(request)
        const { reason } = bytes.byteLength === 0 ? {} : yield* RequestBody.decode(DisconnectRequest, bytes)
        return yield* admin.kick({ userId }, { reason: reason ?? "disconnected" })
      })

      return handlers
        .handleRaw("messages", ({ params, query, request }) => respond(messages(request, params.topic, query)))
        .handleRaw("presence", ({ params, request }) => respond(presence(request, params.topic)))
        .handleRaw("publish", ({ params, request }) => respond(publish(request, params.topic)))
        .handleRaw("kick", ({ params, request }) => respond(kick(request, params.topic)))
        .handleRaw("disconnect", ({ params, request }) => respond(disconnect(request, params.id)))
    }),
  )

const isBatch = (body: typeof TopicEvents.Type): body is ReadonlyArray<typeof TopicEvent.Type> => Array.isArray(body)

/** The problem that corresponds to an error reply of the channel. */
const channelProblem = (error: ChannelError, place: string): ProblemError => {
  const { message, path, retry_after_ms: retryAfter } = error.details ?? {}
  const detail = typeof message === "string" ? message : reasons[error.reason]
  switch (error.reason) {
    case "rate_limit":
      return new ProblemError({
        status: 429,
        code: error.reason,
        detail: "the user sends too many messages; send this one again later",
        retryAfterSeconds: Math.max(1, Math.ceil(Number(retryAfter ?? 1000) / 1000)),
      })
    case "unauthorized":
      return problem(403, error.reason, detail)
    case "not_found":
      return problem(404, error.reason, detail, `${place}payload.id`)
    case "too_large":
      return problem(413, error.reason, detail)
    case "unavailable":
      return new ProblemError({
        status: 503,
        code: error.reason,
        detail: "the history does not respond; send the message again with the same client_id",
        retryAfterSeconds: 5,
      })
    default:
      return problem(422, error.reason, detail, typeof path === "string" ? `${place}payload.${path}` : undefined)
  }
}
