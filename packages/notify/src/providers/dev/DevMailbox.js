import * as Collection from "@armoricore/state/Collection";
import { inboxMessages } from "@armoricore/state/NotificationStates";
import { Clock, Effect } from "effect";
import { layer as providerLayer } from "../../provider/Provider.ts";
import { hashOf } from "../../request/Target.ts";
/** Text and HTML together. The HTML of a longer mail is dropped, so that the rest fits into a state document. */
const maxBodyCharacters = 400_000;
export const layer = (channels) => providerLayer(make(channels));
/** Tokens and URLs are secrets. */
const addressOf = (target) => target.channel === "email" ? target.address : target.channel === "sms" ? target.number : hashOf(target).slice(0, 16);
export const make = Effect.fnUntraced(function* (channels) {
    const messages = yield* Collection.make(inboxMessages);
    const send = Effect.fnUntraced(function* (message) {
        const now = yield* Clock.currentTimeMillis;
        const { target } = message;
        const received = {
            message_id: message.deliveryId,
            user_id: message.userId,
            notification_id: message.notificationId,
            channel: target.channel,
            to: addressOf(target),
            title: message.title,
            text: message.text,
            ...(message.html === undefined || message.text.length + message.html.length > maxBodyCharacters
                ? {}
                : { html: message.html }),
            data: message.data,
            attachments: message.attachments.map(({ file_path }) => file_path),
            ...(message.unsubscribeUrl === undefined ? {} : { unsubscribe_url: message.unsubscribeUrl }),
            received_at: new Date(now).toISOString(),
        };
        // A repeated delivery replaces its document.
        yield* messages.put(message.deliveryId, received);
        return { providerId: message.deliveryId };
    });
    return { name: "inbox", channels, reports: false, send };
});
