/** A provider of pushes and mails that accepts every message and records it. */
import { Effect } from "effect";
import { layer as providerLayer } from "../../src/provider/Provider.ts";
/** `sent` is emptied each time the layer is built. */
export const make = () => {
    const sent = [];
    const layer = providerLayer(Effect.sync(() => {
        sent.length = 0;
        return {
            name: "recorder",
            channels: ["fcm", "email"],
            reports: false,
            send: (message) => Effect.sync(() => {
                sent.push(message);
                return {};
            }),
        };
    }));
    return { layer, sent };
};
