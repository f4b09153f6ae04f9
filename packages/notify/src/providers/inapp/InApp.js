/**
 * The in-app inbox as a provider: publishes `inbox.item`, from which realtime adds the item to the user's inbox and shows it
 * on every socket of the user. The event id derives from the delivery, so a repeated call adds no second item.
 */
import { EventBus } from "@armoricore/bus/EventBus";
import { PermanentError } from "@armoricore/domain/Errors";
import { maxItemBytes } from "@armoricore/domain/Inbox";
import { emit, toOutboundMessage } from "@armoricore/worker/ResultMessage";
import * as TraceContext from "@armoricore/worker/TraceContext";
import { Clock, Effect } from "effect";
import { layer as providerLayer } from "../../provider/Provider.ts";
export const make = Effect.map(EventBus, (bus) => {
    const send = Effect.fnUntraced(function* (message) {
        const { actor, category, data, deliveryId, notificationId, requestId, text, title, userId } = message;
        const bytes = Buffer.byteLength(JSON.stringify({ title, text, data }));
        if (bytes > maxItemBytes) {
            return yield* new PermanentError({
                code: "payload_too_large",
                message: `title, body and data have ${bytes} bytes; an in-app item has at most ${maxItemBytes}`,
            });
        }
        const item = emit("inbox.item", {
            user_id: userId,
            notification_id: notificationId,
            item_id: deliveryId,
            title,
            body: text,
            data,
            ...(category === undefined ? {} : { category }),
            ...(actor === undefined ? {} : { actor }),
            created_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
        }, deliveryId);
        const traceparent = yield* TraceContext.currentTraceparent;
        const outbound = yield* toOutboundMessage("notify", { eventId: notificationId, requestId, traceparent }, item);
        yield* bus.publish({
            address: outbound.address,
            id: outbound.id,
            body: new TextEncoder().encode(outbound.body),
            ...(traceparent === undefined ? {} : { headers: { traceparent } }),
        });
        return { providerId: deliveryId };
    });
    return { name: "in_app", channels: ["in_app"], reports: false, send };
});
export const layer = providerLayer(make);
