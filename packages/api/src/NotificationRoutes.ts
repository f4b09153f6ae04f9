/**
 * `GET /v1/notifications/{id}`: what became of a notification and of each of its deliveries, for the one it was for or
 * an operator; the id is the notification's, or the `event_id` of a request for it. `GET /v1/inbox`: what the local mailbox holds, one's own for a user, everything for an operator.
 */
import { hasRole } from "@armoricore/auth/Identity"
import { NotificationId } from "@armoricore/domain/Ids"
import { InboxMessage, type NotificationState } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import {
  aliasKeyOf,
  deliveryStates,
  inboxMessages,
  notificationAliases,
  notificationStates,
} from "@armoricore/state/NotificationStates"
import { Effect, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { authenticate } from "./Authentication.ts"
import { catchProblems, problem } from "./Problem.ts"

const isId = Schema.is(NotificationId)

/** A delivery as it is shown. */
interface DeliveryResponse {
  readonly delivery_id: string
  readonly channel: string
  readonly status: string
  readonly provider?: string | undefined
  readonly provider_id?: string
  readonly reason?: string
  readonly attempt?: number
  readonly updated_at?: string
}

/** So many deliveries that are still under way are looked up; of more only `requested` is said. */
const maxDeliveryLookups = 50
/** The mailbox is a window on a demo, not an archive. */
const maxInboxMessages = 200

export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const states = yield* Collection.make(notificationStates)
    const deliveries = yield* Collection.make(deliveryStates)
    const aliases = yield* Collection.make(notificationAliases)
    const inbox = yield* Collection.make(inboxMessages)
    const encodeMessages = Schema.encodeEffect(Schema.Array(InboxMessage))

    const deliveryProgress = Effect.fnUntraced(function* (id: string) {
      const state = Option.getOrUndefined(yield* deliveries.get(id))?.value
      if (state === undefined) return { status: "requested" as const }
      const { attempt, provider, status, updated_at } = state
      return { status, provider, attempt, updated_at }
    })

    const toResponse = Effect.fnUntraced(function* (state: NotificationState) {
      let left = maxDeliveryLookups
      const found: Array<DeliveryResponse> = []
      for (const { delivery_id, summary, target } of state.deliveries) {
        const about = { delivery_id, channel: target.channel }
        if (summary !== undefined) found.push({ ...about, ...summary })
        else if (left-- <= 0) found.push({ ...about, status: "requested" })
        else found.push({ ...about, ...(yield* deliveryProgress(delivery_id)) })
      }
      const { ended_at, error, notification_id, notification_type, requested_at, status, updated_at, user_id } = state
      return {
        notification_id,
        user_id,
        notification_type,
        status,
        error,
        requested_at: new Date(requested_at).toISOString(),
        ended_at,
        updated_at,
        deliveries: found,
      }
    })

    const find = Effect.fnUntraced(function* (id: string) {
      const found = yield* states.get(id)
      if (Option.isSome(found)) return found
      const alias = yield* aliases.get(aliasKeyOf(id))
      return Option.isNone(alias) ? alias : yield* states.get(alias.value.value.notification_id)
    })

    const show = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const identity = yield* authenticate(request)
      const { id = "" } = yield* HttpRouter.params
      // UUIDs are kept in lower case, however their publisher writes them.
      const found = isId(id) ? yield* find(id.toLowerCase()) : Option.none()
      if (Option.isNone(found)) {
        return yield* problem(404, "not_found", "no notification with this id is known; ids are kept for 30 days")
      }
      const state = found.value.value
      if (state.user_id !== identity.userId && !hasRole(identity, "operator")) {
        return yield* problem(403, "forbidden", "only the user it was for or an operator may see this")
      }
      return HttpServerResponse.jsonUnsafe(yield* toResponse(state), { headers: { "cache-control": "no-store" } })
    })

    const list = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const identity = yield* authenticate(request)
      if (hasRole(identity, "guest")) return yield* problem(403, "guest", "guests have no mailbox; sign in first")
      const all = yield* inbox.list({ limit: 10_000 })
      const mine = all
        .map(({ value }) => value)
        .filter(({ user_id }) => user_id === identity.userId || hasRole(identity, "operator"))
        .toSorted((a, b) => b.received_at.localeCompare(a.received_at))
        .slice(0, maxInboxMessages)
      // They were decoded by the same schema a moment ago.
      const messages = yield* Effect.orDie(encodeMessages(mine))
      return HttpServerResponse.jsonUnsafe({ messages }, { headers: { "cache-control": "no-store" } })
    })

    yield* router.add("GET", "/v1/notifications/:id", (request) => catchProblems(show(request)))
    yield* router.add("GET", "/v1/inbox", (request) => catchProblems(list(request)))
  }),
)
