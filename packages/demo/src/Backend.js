/**
 * Plays the PHP backend of the demo: publishes events with a publisher token over `POST /v1/events`, as a backend without
 * a bus client would.
 */
import { Tokens } from "@armoricore/auth/Tokens";
import { Duration, Effect } from "effect";
import { DemoFailed } from "./DemoFailed.ts";
/** The event source of the demo; the default of `EVENT_SOURCES` admits it. */
const source = "php-backend";
/** Publishes `media.uploaded` to the program at `url` and returns the accepted envelope. */
export const publishUploaded = Effect.fn("Backend.publishUploaded")(function* (url, payload, { requestTranscription }) {
    const envelope = yield* publish(url, "media.uploaded", payload);
    if (requestTranscription) {
        const { file_path, media_id, user_id } = payload;
        yield* publish(url, "transcription.requested", { media_id, user_id, source_file_path: file_path });
    }
    return envelope;
});
/** Requests a notification for a visitor. Visitors have no device, so the local mailbox receives it by default. */
export const requestNotification = Effect.fn("Backend.requestNotification")(function* (url, userId, type) {
    return yield* publish(url, "notification.requested", {
        user_id: userId,
        notification_type: type,
        ...(type === "push"
            ? {
                title: "Your video is seaworthy",
                body: "This push came over the bus, through the notify service, to this page.",
                recipients: [{ fcm_token: `demo-page-of-${userId}` }],
            }
            : type === "in_app"
                ? {
                    title: "The tide turns at noon",
                    body: "This item is in your inbox. Open the bell, also in a duplicate of this tab.",
                }
                : {
                    title: "Your weekly tide table",
                    body: `Dear ${userId},\n\nthis e-mail was made as text and as HTML: <b>nothing in it</b> is taken for markup.\n\nFair winds`,
                    recipients: [{ email: `${userId}@demo.invalid` }],
                    category: "tide-tables",
                }),
    });
});
const publish = Effect.fnUntraced(function* (url, type, payload) {
    const tokens = yield* Tokens;
    const token = yield* tokens.sign({ userId: source, roles: ["publisher"], ttl: Duration.minutes(1) });
    const envelope = {
        event_type: type,
        event_id: crypto.randomUUID(),
        timestamp: new Date().toISOString(),
        source,
        payload,
    };
    const response = yield* Effect.tryPromise({
        try: (signal) => fetch(`${url}/v1/events`, {
            method: "POST",
            signal,
            headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
            body: JSON.stringify(envelope),
        }),
        catch: (cause) => new DemoFailed({ message: `cannot publish ${type} to ${url}: ${String(cause)}` }),
    });
    if (response.status !== 202) {
        const text = yield* Effect.promise(() => response.text());
        return yield* new DemoFailed({ message: `the API rejected ${type} with status ${response.status}: ${text}` });
    }
    return envelope;
});
