import { withPreheader } from "../request/EmailOptions.ts";
import { fromText } from "../request/Html.ts";
import { uuidOf } from "../request/Target.ts";
/** Undefined if the notification has no target at this index. */
export const of = (notification, index) => {
    const planned = notification.deliveries[index];
    return planned === undefined ? undefined : { notification, planned, index, channel: planned.target.channel };
};
/** The fields of the state document that are the same in every status. */
export const identifiersOf = ({ channel, notification, planned }) => ({
    delivery_id: planned.delivery_id,
    notification_id: notification.notification_id,
    channel,
});
/** Epoch milliseconds; infinite if the notification never expires. */
export const expiresAt = ({ content }) => content.expires_at ?? Infinity;
/** It was cancelled before it was sent. */
export const isCancelled = ({ planned }) => planned.summary?.reason === "cancelled";
/** When its sending began at the earliest, epoch milliseconds. */
export const startedAt = ({ requested_at, send_at = 0 }) => Math.max(requested_at, send_at);
export const isExpired = (notification, now) => expiresAt(notification) <= now;
export const messageOf = ({ index, notification, planned }, links = {}) => {
    const { actor, category, collapse_key, data, expires_at, localized, push } = notification.content;
    const rendered = (planned.locale === undefined ? undefined : localized?.[planned.locale]) ?? notification.content;
    const { attachments = none, email, text, title } = rendered;
    const html = planned.target.channel === "email" ? htmlOf(rendered) : undefined;
    return {
        deliveryId: planned.delivery_id,
        notificationId: notification.notification_id,
        userId: notification.user_id,
        ...(notification.request_id === undefined ? {} : { requestId: notification.request_id }),
        target: planned.target,
        title,
        text,
        data,
        attachments,
        uuid: uuidOf(planned.delivery_id),
        ...(category === undefined ? {} : { category }),
        ...(actor === undefined ? {} : { actor }),
        ...(html === undefined ? {} : { html }),
        ...(collapse_key === undefined ? {} : { collapseKey: collapse_key }),
        ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
        ...(push === undefined ? {} : { push: pushOf(push) }),
        ...(email === undefined ? {} : { email: emailOf(email, index) }),
        ...(links.unsubscribe === undefined ? {} : { unsubscribeUrl: links.unsubscribe }),
        ...(links.preferences === undefined ? {} : { preferencesUrl: links.preferences }),
    };
};
/** `UnreadBadge` has replaced `unread` by a number. */
const pushOf = ({ badge, ...push }) => ({
    ...push,
    ...(typeof badge === "number" ? { badge } : {}),
});
const emailOf = (email, index) => {
    const { bcc = [], cc = [], copies_at, from_name, reply_to = [] } = email;
    const copies = copies_at === index ? { cc, bcc } : { cc: [], bcc: [] };
    return { replyTo: reply_to, ...copies, ...(from_name === undefined ? {} : { fromName: from_name }) };
};
const none = [];
/** The HTML of a content, made once for all targets. */
const renderedHtml = new WeakMap();
const htmlOf = (content) => {
    const known = renderedHtml.get(content);
    if (known !== undefined)
        return known;
    const preheader = content.email?.preheader;
    const body = content.html ?? fromText(content.title, content.text);
    const page = preheader === undefined ? body : withPreheader(body, preheader);
    renderedHtml.set(content, page);
    return page;
};
/** The delivery is in progress. */
export const isOpen = (status) => status === "requested" || status === "sending" || status === "deferred";
export const summaryOf = (channel, final) => ({
    channel,
    provider: final.provider ?? "none",
    // A state that is not final does not occur here; the type cannot express that.
    status: isOpen(final.status) ? "failed" : final.status,
    ...(final.provider_id === undefined ? {} : { provider_id: final.provider_id }),
    ...(final.reason === undefined ? {} : { reason: final.reason }),
});
