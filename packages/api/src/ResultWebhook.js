/**
 * The webhook for result events, for a backend without a bus client: every result is POSTed to `WEBHOOK_URL`, byte for
 * byte as on the bus, signed like an event (`Armoricore-Signature`, key id `webhook`), with its id and type in headers.
 *
 * Only a 2xx response acknowledges an event. Every other outcome is retried with backoff, and not before `Retry-After`;
 * after the last attempt the event is a dead letter of the service `webhook`. The receiver gets each event at least once
 * and recognises duplicates by the event id.
 *
 * The URL comes from the operator, never from an event, and redirects are not followed, so a response cannot make this
 * process call another host. Only the status and `Retry-After` of the response are read.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { eventTypesWhere } from "@armoricore/domain/EventRegistry";
import * as Signature from "@armoricore/domain/Signature";
import { CircuitBreakers, withCircuitBreaker } from "@armoricore/worker/control/CircuitBreakers";
import { on } from "@armoricore/worker/Handler";
import * as Worker from "@armoricore/worker/Worker";
import { Clock, Duration, Effect, Layer } from "effect";
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http";
/** Events that are posted: results, not what users write to each other. */
export const webhookEventTypes = eventTypesWhere({ webhook: true });
/** The key id in the signature header. */
export const keyId = "webhook";
const defaultRetryPolicy = { maxAttempts: 16, base: Duration.seconds(1), cap: Duration.minutes(20) };
/** Runs until the scope closes. */
export const run = Effect.fn("ResultWebhook.run")(function* (options) {
    const handler = (type) => on(type, {
        concurrency: options.concurrency ?? 8,
        timeout: Duration.minutes(1),
        retry: { ...defaultRetryPolicy, ...options.retry },
        handle: (event, context) => Effect.as(withCircuitBreaker("webhook")(post(options, event, context)), []),
        onFailure: () => [],
    });
    yield* Worker.run("webhook", webhookEventTypes.map(handler));
});
/** A circuit breaker, and a client that follows no redirect. */
export const dependencies = Layer.merge(CircuitBreakers.layer, FetchHttpClient.layer.pipe(Layer.provideMerge(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))));
export const layer = (options) => Layer.effectDiscard(run(options)).pipe(Layer.provide(dependencies));
const post = Effect.fnUntraced(function* (options, event, { message }) {
    const client = yield* HttpClient.HttpClient;
    const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000);
    const request = HttpClientRequest.post(options.url).pipe(HttpClientRequest.setHeaders({
        [Signature.signatureHeader]: Signature.sign(keyId, options.secret, seconds, message.body),
        "Armoricore-Event-Id": event.event_id,
        "Armoricore-Event-Type": event.event_type,
        "user-agent": "Armoricore",
    }), HttpClientRequest.bodyUint8Array(message.body, "application/json"));
    const timeout = options.timeout ?? Duration.seconds(10);
    const response = yield* client.execute(request).pipe(Effect.mapError((cause) => deliveryError("unavailable", `it is not reachable: ${cause.message}`)), Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(deliveryError("timeout", `it did not respond within ${Duration.format(timeout)}`)),
    }), Effect.scoped);
    const { headers, status } = response;
    if (status >= 200 && status < 300)
        return;
    const outcome = status >= 300 && status < 400
        ? `a redirect (${status}), which is not followed: set its final address`
        : `status ${status}`;
    const now = yield* Clock.currentTimeMillis;
    return yield* deliveryError(status === 429 ? "throttled" : `status_${status}`, `it responded with ${outcome}`, parseRetryAfter(headers["retry-after"], now));
});
const deliveryError = (code, reason, retryAfterMillis) => new TransientError({
    dependency: "webhook",
    code,
    message: `the receiver at WEBHOOK_URL did not accept the event: ${reason}`,
    ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
});
const maxRetryAfter = Duration.toMillis(Duration.hours(1));
/** Seconds or a date, capped at one hour. */
const parseRetryAfter = (header, now) => {
    if (header === undefined)
        return undefined;
    const millis = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
    return Number.isNaN(millis) ? undefined : Math.min(maxRetryAfter, Math.max(0, millis));
};
