/**
 * Applies the preferences of the user to a notification: a channel that the user switched off sends nothing, and quiet hours
 * delay what disturbs. A category of `critical` ignores both.
 */
import type { DeliveryEntry, NotificationState } from "@armoricore/domain/NotificationState"
import { isAllowed, noPreferences, type Preferences, quietUntil } from "@armoricore/domain/Preferences"
import type { StateError } from "@armoricore/state/KeyValue"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { Context, Effect, Layer } from "effect"

export interface CategoryRules {
  /** Categories that ignore preferences: security, orders. */
  readonly critical: ReadonlySet<string>
  /** Categories that the preference page lists for every user. */
  readonly listed: ReadonlyArray<string>
}

export const CategoryRules = Context.Reference<CategoryRules>("@armoricore/notify/CategoryRules", {
  defaultValue: () => ({ critical: new Set(), listed: [] }),
})

export class PreferenceRules extends Context.Service<
  PreferenceRules,
  {
    /**
     * Suppresses the open deliveries, or moves `send_at` to the end of the quiet hours. A notification with a later
     * `send_at` is returned as it is: preferences count at the time of sending.
     */
    readonly apply: (state: NotificationState, now: number) => Effect.Effect<NotificationState, StateError>
    /** `apply` for several notifications, in their order. */
    readonly applyAll: (
      states: ReadonlyArray<NotificationState>,
      now: number,
    ) => Effect.Effect<ReadonlyArray<NotificationState>, StateError>
  }
>()("@armoricore/notify/PreferenceRules") {
  static readonly layer = Layer.effect(
    PreferenceRules,
    Effect.gen(function* () {
      const preferences = yield* UserPreferences
      const { critical } = yield* CategoryRules
      const isExempt = ({ content: { category }, deliveries, send_at = 0 }: NotificationState, now: number) =>
        send_at > now || (category !== undefined && critical.has(category)) || !deliveries.some(isOpenForUser)
      const applied = (state: NotificationState, wanted: Preferences, now: number): NotificationState => {
        if (!isAllowed(wanted, state.content.category, state.notification_type)) return suppress(state, "preference")
        const until =
          wanted.quiet_hours === undefined ? undefined : quietUntil(wanted.quiet_hours, state.notification_type, now)
        return until === undefined ? state : { ...state, send_at: until }
      }
      return {
        apply: (state, now) =>
          isExempt(state, now)
            ? Effect.succeed(state)
            : Effect.map(preferences.get(state.user_id), (wanted) => applied(state, wanted, now)),
        applyAll: (states, now) =>
          Effect.map(preferences.getMany(states.map(({ user_id }) => user_id)), (wanted) =>
            states.map((state, at) =>
              isExempt(state, now) ? state : applied(state, wanted[at] ?? noPreferences, now),
            ),
          ),
      }
    }),
  )
}

/** FCM chooses the devices of a topic: they are not those of the notification's user. */
const isOpenForUser = ({ summary, target }: DeliveryEntry): boolean =>
  summary === undefined && !("topic" in target || "condition" in target)

/** Ends the open deliveries to the user. */
export const suppress = (state: NotificationState, reason: string): NotificationState => ({
  ...state,
  deliveries: state.deliveries.map((entry) =>
    isOpenForUser(entry)
      ? { ...entry, summary: { channel: entry.target.channel, provider: "none", status: "suppressed", reason } }
      : entry,
  ),
})
