/** Where notifications, deliveries, suppressions and the local mailbox lie: `notify` alone writes them, `api` reads. */
import { DeliveryState, InboxMessage, NotificationState, PushBatchState } from "@armoricore/domain/NotificationState"
import { Duration, Schema } from "effect"
import type { Descriptor } from "./Collection.ts"

/** Longer than a dead letter waits for its replay. */
const retention = Duration.days(30)

export const notificationStates: Descriptor<NotificationState, typeof NotificationState.Encoded> = {
  bucket: { name: "notification", maxAge: retention },
  schema: NotificationState,
  skipEncode: true,
}

export const deliveryStates: Descriptor<DeliveryState, typeof DeliveryState.Encoded> = {
  bucket: { name: "delivery", maxAge: retention },
  schema: DeliveryState,
  skipEncode: true,
}

/** Beside the deliveries: no delivery's id has this form. Read again after a crash alone. */
export const pushBatchStates: Descriptor<PushBatchState, typeof PushBatchState.Encoded> = {
  bucket: deliveryStates.bucket,
  schema: PushBatchState,
  skipEncode: true,
}

const NotificationAlias = Schema.Struct({ notification_id: Schema.String })

/**
 * Which notification a request with an idempotency key became, under {@link aliasKeyOf}: whoever published it knows its
 * `event_id`. Beside the deliveries: no delivery's id has this form.
 */
export const notificationAliases: Descriptor<typeof NotificationAlias.Type, typeof NotificationAlias.Encoded> = {
  bucket: deliveryStates.bucket,
  schema: NotificationAlias,
  skipEncode: true,
}

export const aliasKeyOf = (eventId: string): string => `${eventId}.request`

export const Suppression = Schema.Struct({
  /** `bounced`, `complained`, `unsubscribed`. */
  reason: Schema.String,
  /** Epoch milliseconds. */
  since: Schema.Finite,
})
export type Suppression = typeof Suppression.Type

/** Keys are hashes: the list of those who do not want mail is no list of addresses. */
export const suppressions: Descriptor<Suppression, typeof Suppression.Encoded> = {
  bucket: { name: "suppression", maxAge: "never" },
  schema: Suppression,
}

const UnsubscribeKey = Schema.Struct({ key: Schema.String })

/** Beside the suppressions, which whoever answers such links may write: keys of those begin otherwise. */
export const unsubscribeKeys: Descriptor<typeof UnsubscribeKey.Type, typeof UnsubscribeKey.Encoded> = {
  bucket: suppressions.bucket,
  schema: UnsubscribeKey,
}

export const inboxMessages: Descriptor<InboxMessage, typeof InboxMessage.Encoded> = {
  bucket: { name: "inbox", maxAge: Duration.days(7) },
  schema: InboxMessage,
}
