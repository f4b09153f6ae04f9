/**
 * Applies the preferences of the user to a notification: a channel that the user switched off sends nothing, and quiet hours
 * delay what disturbs. A category of `critical` ignores both.
 */
import type { DeliveryEntry, NotificationState } from "@armoricore/domain/NotificationState"
import { isAllowed, quietUntil } from "@armoricore/domain/Preferences"
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
  }
>()("@armoricore/notify/PreferenceRules") {
  static readonly layer = Layer.effect(
    PreferenceRules,
    Effect.gen(function* () {
      const preferences = yield* UserPreferences
      const { critical } = yield* CategoryRules
      return {
        apply: (state, now) => {
          const { category } = state.content
          const isSettled = !state.deliveries.some(isOpenForUser)
          if (isSettled || (state.send_at ?? 0) > now || (category !== undefined && critical.has(category)))
            return Effect.succeed(state)
          return Effect.map(preferences.get(state.user_id), (wanted) => {
            if (!isAllowed(wanted, category, state.notification_type)) return suppress(state, "preference")
            const until =
              wanted.quiet_hours === undefined
                ? undefined
                : quietUntil(wanted.quiet_hours, state.notification_type, now)
            return until === undefined ? state : { ...state, send_at: until }
          })
        },
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
