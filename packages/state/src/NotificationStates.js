/**
 * The documents of notifications, deliveries, suppressions and the local mailbox: written only by `notify`, read by
 * `api`.
 */
import { DeliveryState, InboxMessage, NotificationState, PushBatchState } from "@armoricore/domain/NotificationState";
import { Suppression } from "@armoricore/domain/Suppression";
import { Duration, Schema } from "effect";
/** Longer than dead letters are stored, so that a replay finds the state. */
const retention = Duration.days(30);
export const notificationStates = {
    bucket: { name: "notification", maxAge: retention },
    schema: NotificationState,
    skipEncode: true,
};
export const deliveryStates = {
    bucket: { name: "delivery", maxAge: retention },
    schema: DeliveryState,
    skipEncode: true,
};
/** Stored with the deliveries: no delivery id has this form. Read only after a crash. */
export const pushBatchStates = {
    bucket: deliveryStates.bucket,
    schema: PushBatchState,
    skipEncode: true,
};
const NotificationAlias = Schema.Struct({ notification_id: Schema.String });
/**
 * The notification that a request with an idempotency key became, under {@link aliasKeyOf}: its publisher knows only
 * its `event_id`. Stored with the deliveries: no delivery id has this form.
 */
export const notificationAliases = {
    bucket: deliveryStates.bucket,
    schema: NotificationAlias,
    skipEncode: true,
};
export const aliasKeyOf = (eventId) => `${eventId}.request`;
/** Keys are hashes, so that the suppression list does not contain addresses. */
export const suppressions = {
    bucket: { name: "suppression", maxAge: "never" },
    schema: Suppression,
};
const UnsubscribeKey = Schema.Struct({ key: Schema.String });
/**
 * Stored with the suppressions, because the process that serves unsubscribe links may write only those; its keys have
 * their own prefix.
 */
export const unsubscribeKeys = {
    bucket: suppressions.bucket,
    schema: UnsubscribeKey,
};
export const inboxMessages = {
    bucket: { name: "inbox", maxAge: Duration.days(7) },
    schema: InboxMessage,
};
