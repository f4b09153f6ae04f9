/**
 * The way back to a backend without a bus client: every result event is POSTed to `WEBHOOK_URL`, byte for byte as it
 * stands on the bus, signed like an event (`Armoricore-Signature`, key id `webhook`), with its id and type in headers.
 *
 * Only a 2xx answer counts as received. Everything else is tried again with backoff, no earlier than `Retry-After` says,
 * and ends as a dead letter of the service `webhook`, never as a loss. A receiver sees an event at least once and knows
 * a repetition by its id.
 *
 * The address is the operator's, never an event's, and redirects are not followed: whoever can make the receiver answer
 * cannot make this program call somewhere else. Of the answer only the status and `Retry-After` are read.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { type EventOf, type EventType, eventTypesWhere } from "@armoricore/domain/EventRegistry"
import * as Signature from "@armoricore/domain/Signature"
import { CircuitBreakers, withCircuitBreaker } from "@armoricore/worker/control/CircuitBreakers"
import { type Handler, type HandlerContext, on } from "@armoricore/worker/Handler"
import type { RetryPolicy } from "@armoricore/worker/RetryPolicy"
import * as Worker from "@armoricore/worker/Worker"
import { Clock, Duration, Effect, Layer, type Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"

export interface WebhookOptions {
  readonly url: string
  readonly secret: Redacted.Redacted<string>
  /** POSTs at once in this process. Default 8. */
  readonly concurrency?: number
  /** How long the receiver may take. Default 10 s. */
  readonly timeout?: Duration.Duration
  /** Default: 16 tries over some three hours, so that a deployment of the receiver costs no event. */
  readonly retry?: Partial<RetryPolicy>
}

/** Events that are posted: results, not what users write to each other. */
export const webhookEventTypes = eventTypesWhere({ webhook: true })

/** The key id in the signature's header. */
export const keyId = "webhook"

const defaultRetryPolicy: RetryPolicy = { maxAttempts: 16, base: Duration.seconds(1), cap: Duration.minutes(20) }

/** Runs until the scope closes. */
export const run = Effect.fn("Webhook.run")(function* (options: WebhookOptions) {
  const handler = <T extends EventType>(type: T): Handler<CircuitBreakers | HttpClient.HttpClient> =>
    on(type, {
      concurrency: options.concurrency ?? 8,
      timeout: Duration.minutes(1),
      retry: { ...defaultRetryPolicy, ...options.retry },
      handle: (event, job) => Effect.as(withCircuitBreaker("webhook")(post(options, event, job)), []),
      onFailure: () => [],
    })
  yield* Worker.run("webhook", webhookEventTypes.map(handler))
})

/** A circuit breaker, and a client that follows no redirect. */
export const dependencies = Layer.merge(
  CircuitBreakers.layer,
  FetchHttpClient.layer.pipe(Layer.provideMerge(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))),
)

export const layer = (options: WebhookOptions) => Layer.effectDiscard(run(options)).pipe(Layer.provide(dependencies))

const post = Effect.fnUntraced(function* (
  options: WebhookOptions,
  event: Pick<EventOf<EventType>, "event_id" | "event_type">,
  { message }: HandlerContext,
) {
  const client = yield* HttpClient.HttpClient
  const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const request = HttpClientRequest.post(options.url).pipe(
    HttpClientRequest.setHeaders({
      [Signature.signatureHeader]: Signature.sign(keyId, options.secret, seconds, message.body),
      "Armoricore-Event-Id": event.event_id,
      "Armoricore-Event-Type": event.event_type,
      "user-agent": "Armoricore",
    }),
    HttpClientRequest.bodyUint8Array(message.body, "application/json"),
  )
  const timeout = options.timeout ?? Duration.seconds(10)
  const response = yield* client.execute(request).pipe(
    Effect.mapError((cause) => deliveryError("unavailable", `it cannot be reached: ${cause.message}`)),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(deliveryError("timeout", `it did not answer within ${Duration.format(timeout)}`)),
    }),
    Effect.scoped,
  )
  const { headers, status } = response
  if (status >= 200 && status < 300) return
  const why =
    status >= 300 && status < 400
      ? `a redirect (${status}), which is not followed: set its final address`
      : `status ${status}`
  const now = yield* Clock.currentTimeMillis
  return yield* deliveryError(
    status === 429 ? "throttled" : `status_${status}`,
    `it answered with ${why}`,
    parseRetryAfter(headers["retry-after"], now),
  )
})

const deliveryError = (code: string, why: string, retryAfterMillis?: number): TransientError =>
  new TransientError({
    dependency: "webhook",
    code,
    message: `the receiver behind WEBHOOK_URL did not take the event: ${why}`,
    ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
  })

const maxRetryAfter = Duration.toMillis(Duration.hours(1))

/** Seconds or a date; an hour at most, whatever the receiver says. */
const parseRetryAfter = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  const millis = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(millis) ? undefined : Math.min(maxRetryAfter, Math.max(0, millis))
}
