/** What a `when` step asks: the outcome of an earlier step, the preferences of the user, or a field of the request. */
import { encodeId } from "@armoricore/domain/EncodedId"
import type { Condition, RunContent, WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { isAllowed } from "@armoricore/domain/Preferences"
import * as Collection from "@armoricore/state/Collection"
import type { StateError } from "@armoricore/state/KeyValue"
import { userInboxes } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { Effect, Equal, Option, type Schema } from "effect"
import { Notifications } from "../request/Notifications.ts"

/** A dotted path in `context`, else in `data`. */
export const valueAt = ({ context, data }: Pick<RunContent, "context" | "data">, path: string): unknown =>
  lookUp(context, path) ?? lookUp(data, path)

const lookUp = (value: unknown, path: string): unknown => {
  let current = value
  for (const key of path.split(".")) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) return undefined
    current = (current as Readonly<Record<string, Schema.Json>>)[key]
  }
  return current
}

export type Outcome = "sent" | "delivered" | "read" | "failed" | "pending"

export const make = Effect.gen(function* () {
  const notifications = yield* Notifications
  const preferences = yield* UserPreferences
  const inboxes = yield* Collection.make(userInboxes)

  /** Of the notification of a step; `pending` also before the step. */
  const outcomeOf = Effect.fnUntraced(function* (
    run: WorkflowRun,
    name: string,
  ): Effect.fn.Return<Outcome, StateError> {
    const id = Object.hasOwn(run.sent, name) ? run.sent[name] : undefined
    const state = id === undefined ? undefined : Option.getOrUndefined(yield* notifications.refresh(id))
    if (state === undefined || state.status === "pending") return "pending"
    if (state.status === "failed") return "failed"
    if (state.notification_type === "in_app") {
      const inbox = Option.getOrUndefined(yield* inboxes.get(encodeId(run.user_id)))?.value
      const items = new Set(state.deliveries.map(({ delivery_id }) => delivery_id))
      const isRead = inbox?.items.some((item) => items.has(item.id) && item.read_at !== undefined) === true
      return isRead ? "read" : "sent"
    }
    return state.deliveries.some(({ summary }) => summary?.status === "delivered") ? "delivered" : "sent"
  })

  const reached = (outcome: Outcome, wanted: "sent" | "delivered" | "read"): boolean =>
    wanted === "sent" ? outcome !== "failed" && outcome !== "pending" : outcome === wanted || outcome === "read"

  const holds = (run: WorkflowRun, condition: Condition): Effect.Effect<boolean, StateError> => {
    if ("not" in condition) return Effect.map(holds(run, condition.not), (value) => !value)
    if ("all" in condition)
      return Effect.map(
        Effect.forEach(condition.all, (one) => holds(run, one)),
        (values) => values.every(Boolean),
      )
    if ("any" in condition)
      return Effect.map(
        Effect.forEach(condition.any, (one) => holds(run, one)),
        (values) => values.some(Boolean),
      )
    if ("preference" in condition)
      return Effect.map(preferences.get(run.user_id), (wanted) => isAllowed(wanted, run.category, condition.preference))
    if ("payload" in condition) {
      const value = valueAt(run.content, condition.payload)
      const { equals, exists = true } = condition
      return Effect.succeed(
        "equals" in condition ? Equal.equals(value, equals) : (value !== undefined && value !== null) === exists,
      )
    }
    if ("unread" in condition) return Effect.map(outcomeOf(run, condition.unread), (outcome) => outcome !== "read")
    const [wanted, name] =
      "read" in condition
        ? (["read", condition.read] as const)
        : "sent" in condition
          ? (["sent", condition.sent] as const)
          : (["delivered", condition.delivered] as const)
    return Effect.map(outcomeOf(run, name), (outcome) => reached(outcome, wanted))
  }

  return { holds, outcomeOf, reached }
})
