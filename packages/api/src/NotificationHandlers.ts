/**
 * `GET /v1/notifications/{id}`: the state of a notification and of each of its deliveries, for its user, a backend or an operator.
 * `GET /v1/inbox`: the development mailbox.
 */
import { hasRole } from "@armoricore/auth/Identity"
import { NotificationId } from "@armoricore/domain/Ids"
import type { DeliveryEntry, NotificationState } from "@armoricore/domain/NotificationState"
import { makeReader, type MemberNotification } from "@armoricore/state/AudienceChunks"
import * as Collection from "@armoricore/state/Collection"
import {
  aliasKeyOf,
  deliveryStates,
  inboxMessages,
  notificationAliases,
  notificationStates,
} from "@armoricore/state/NotificationStates"
import { Effect, Option, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import type { DeliveryResponse } from "./contract/NotificationApi.ts"
import { CurrentIdentity } from "./contract/Security.ts"
import { asProblem, problem } from "./Problem.ts"

const isNotificationId = Schema.is(NotificationId)

/** At most this many pending deliveries are read from the state; the others are shown as `requested`. */
const maxDeliveryLookups = 50
/** The mailbox is a development tool: the newest messages are enough. */
const maxInboxMessages = 200

export const layer = HttpApiBuilder.group(
  ArmoricoreApi,
  "notifications",
  Effect.fnUntraced(function* (handlers) {
    const states = yield* Collection.make(notificationStates)
    const deliveries = yield* Collection.make(deliveryStates)
    const aliases = yield* Collection.make(notificationAliases)
    const inbox = yield* Collection.make(inboxMessages)
    const memberOf = yield* makeReader

    const deliveryProgress = Effect.fnUntraced(function* ({ delivery_id, first_call }: DeliveryEntry) {
      const state = Option.getOrUndefined(yield* deliveries.get(delivery_id))?.value
      if (state === undefined)
        return first_call === undefined
          ? { status: "requested" }
          : { status: "sending", provider: first_call.provider, attempt: 1 }
      const { attempt, not_before, provider, reason, status, updated_at } = state
      const progress = { status, provider, attempt, updated_at }
      if (status !== "deferred" || not_before === undefined) return progress
      return {
        ...progress,
        ...(reason === undefined ? {} : { reason }),
        next_attempt_at: new Date(not_before).toISOString(),
      }
    })

    const toResponse = Effect.fnUntraced(function* (state: NotificationState) {
      let remainingLookups = maxDeliveryLookups
      const responses: Array<DeliveryResponse> = []
      for (const entry of state.deliveries) {
        const { delivery_id, summary, target } = entry
        const base = { delivery_id, channel: target.channel }
        if (summary !== undefined) responses.push({ ...base, ...summary })
        else if (remainingLookups-- <= 0) responses.push({ ...base, status: "requested" })
        else responses.push({ ...base, ...(yield* deliveryProgress(entry)) })
      }
      const { send_at, ...shown } = state
      return {
        ...shown,
        requested_at: new Date(state.requested_at).toISOString(),
        ...(send_at === undefined || state.status !== "pending" ? {} : { send_at: new Date(send_at).toISOString() }),
        deliveries: responses,
      }
    })

    const findByIdOrAlias = Effect.fnUntraced(function* (id: string) {
      const entry = yield* states.get(id)
      if (Option.isSome(entry)) return entry
      const alias = yield* aliases.get(aliasKeyOf(id))
      return Option.isNone(alias) ? alias : yield* states.get(alias.value.value.notification_id)
    })

    /** With the effect that reads its deliveries; undefined: no notification has this id. */
    const find = Effect.fnUntraced(function* (id: string) {
      const entry = yield* findByIdOrAlias(id)
      if (Option.isSome(entry)) {
        const state = entry.value.value
        return { userId: state.user_id, response: toResponse(state) }
      }
      const member = yield* memberOf(id)
      return member === undefined
        ? undefined
        : { userId: member.user_id, response: Effect.succeed(memberResponse(member)) }
    })

    const get = Effect.fn("NotificationApi.get")(function* (id: string) {
      const identity = yield* CurrentIdentity
      // UUIDs are stored in lower case; publishers may send upper case.
      const found = isNotificationId(id) ? yield* find(id.toLowerCase()) : undefined
      if (found === undefined) {
        return yield* problem(
          404,
          "not_found",
          "no notification with this id is known; ids expire after 30 days. A request with a workflow is at /v1/workflow-runs/{id}",
        )
      }
      const isOther = found.userId !== identity.userId
      if (isOther && !hasRole(identity, "operator") && !hasRole(identity, "publisher")) {
        return yield* problem(
          403,
          "forbidden",
          "only the user of the notification, a publisher or an operator may see this",
        )
      }
      return yield* found.response
    })

    const listInbox = Effect.fn("NotificationApi.inbox")(function* () {
      const identity = yield* CurrentIdentity
      if (hasRole(identity, "guest")) return yield* problem(403, "guest", "guests have no mailbox; sign in first")
      const entries = yield* inbox.list({ limit: 10_000 })
      const messages = entries
        .map(({ value }) => value)
        .filter(({ user_id }) => user_id === identity.userId || hasRole(identity, "operator"))
        .toSorted((a, b) => b.received_at.localeCompare(a.received_at))
        .slice(0, maxInboxMessages)
      return { messages }
    })

    return handlers.handleAll({
      get: ({ params }) => asProblem(get(params.id)),
      inbox: () => asProblem(listInbox()),
    })
  }),
)

/** The notification of a member of an audience. */
const memberResponse = ({ deliveries, requested_at, send_id: _send, ...member }: MemberNotification) => ({
  ...member,
  requested_at: new Date(requested_at).toISOString(),
  deliveries: deliveries.map((summary, index): DeliveryResponse => ({
    delivery_id: `${member.notification_id}.${summary.channel}.${index}`,
    ...summary,
  })),
})
