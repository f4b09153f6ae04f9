/** A custom notification provider: it sends e-mail through a mail service with a JSON API over HTTP. */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Provider } from "@armoricore/notify";
import { Effect, Redacted } from "effect";
import { HttpClient, HttpClientRequest } from "effect/http";
const make = Effect.fnUntraced(function* (options) {
    const http = yield* HttpClient.HttpClient;
    const send = Effect.fnUntraced(function* (message) {
        if (message.target.channel !== "email")
            return yield* new PermanentError({ code: "wrong_channel", message: "the mail service delivers only e-mail" });
        const response = yield* http.execute(HttpClientRequest.post(`${options.url}/send`).pipe(HttpClientRequest.bearerToken(options.key), 
        // Each attempt has the same id, so the mail service can recognise a duplicate.
        HttpClientRequest.setHeader("idempotency-key", message.uuid), HttpClientRequest.bodyJsonUnsafe({ to: message.target.address, subject: message.title, text: message.text })));
        switch (response.status) {
            case 200:
                return { providerId: message.uuid };
            // The error class decides what follows: see the table in packages/notify/src/provider/Provider.ts.
            case 401:
                return yield* new ConfigurationError({
                    setting: "MAIL_API_KEY",
                    message: "the mail service rejects MAIL_API_KEY; set a valid key",
                });
            case 404:
                return yield* new Provider.InvalidTarget({ reason: "mailbox_unknown", message: "the mailbox does not exist" });
            case 429:
                return yield* new TransientError({
                    dependency: "mail_api",
                    code: "throttled",
                    message: "the mail service throttles requests",
                    retryAfterMillis: Number(response.headers["retry-after"] ?? 1) * 1000,
                });
            default:
                return yield* new TransientError({
                    dependency: "mail_api",
                    code: "unavailable",
                    message: `the mail service answered ${response.status}`,
                });
        }
    }, 
    // The mail service may have received the request: DeliveryPolicy decides whether to send it again.
    Effect.catchTag("HttpClientError", ({ message }) => Effect.fail(new Provider.UnknownOutcome({ message }))));
    return { name: "mail_api", channels: ["email"], reports: false, send };
});
export const layer = (options) => Provider.layer(make(options));
