/** `device.token_invalid`: asks the backend to delete a token that its provider no longer knows. */
import type { DeliveryEntry, NotificationState } from "@armoricore/domain/NotificationState"
import { emit, type ResultMessage } from "@armoricore/worker/ResultMessage"
import { hashOf, platformOf } from "./Target.ts"

/** Undefined for an e-mail address, which is suppressed instead. `since`: epoch milliseconds. */
export const eventOf = (
  { user_id }: Pick<NotificationState, "user_id">,
  { delivery_id, target }: DeliveryEntry,
  reason: string | undefined,
  since: number | undefined,
): ResultMessage | undefined =>
  target.channel === "email"
    ? undefined
    : emit(
        "device.token_invalid",
        {
          user_id,
          platform: platformOf(target.channel),
          token_hash: hashOf(target),
          reason: reason ?? "dead",
          ...(since === undefined ? {} : { invalid_since: new Date(since).toISOString() }),
        },
        delivery_id,
      )

/** The events of every delivery of the notification that found an invalid token, as they were published before. */
export const eventsOf = (state: NotificationState): ReadonlyArray<ResultMessage> =>
  state.deliveries.flatMap((planned) =>
    planned.target_invalid === true
      ? (eventOf(state, planned, planned.summary?.reason, planned.invalid_since) ?? [])
      : [],
  )
