/**
 * Shared parts of the incoming webhooks of chat services. The target is the URL that the service gave for one channel. A program with it
 * may post there, so it is a secret: state documents contain it, and logs and events do not.
 */
import { PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { NotificationChannel } from "@armoricore/domain/NotificationState"
import { Effect, type Schema, type Scope } from "effect"
import {
  type Accepted,
  InvalidTarget,
  type Message,
  type Provider,
  type ProviderError,
} from "../../provider/Provider.ts"
import * as HttpCall from "../HttpCall.ts"
import * as PublicHttps from "../PublicHttps.ts"

export interface Options {
  readonly maxPerSecond?: number
  /** For tests on this machine. */
  readonly privateEndpoints?: PublicHttps.Options["privateEndpoints"]
}

export interface ChatService {
  readonly name: Extract<NotificationChannel, "slack" | "teams" | "discord" | "webhook">
  /** In messages, for example `Slack`. */
  readonly title: string
  /** The body and headers of the call; a string is the reason why the message cannot be sent. */
  readonly requestOf: (
    message: Message,
  ) => Effect.Effect<
    { readonly body: string; readonly headers?: Readonly<Record<string, string>> } | { readonly fault: string }
  >
  /** The service accepts at most so many bytes; absent: unlimited. */
  readonly maxBytes?: number
  /** Parameters that the service needs in the URL. */
  readonly query?: Readonly<Record<string, string>>
  /** The response says that this URL will never work again: the reason, lower case with underscores. */
  readonly goneReason: (response: PublicHttps.PublicHttpsResponse) => string | undefined
  /** A 2xx response that is none. */
  readonly hiddenFailure?: (
    response: PublicHttps.PublicHttpsResponse,
  ) => Effect.Effect<ProviderError | undefined, never>
  readonly providerIdOf?: (response: PublicHttps.PublicHttpsResponse) => Effect.Effect<string | undefined>
}

const defaultRetryAfterMillis = 30_000

export const make = (service: ChatService, options: Options): Effect.Effect<Provider, never, Scope.Scope> =>
  Effect.map(
    PublicHttps.make({
      dependency: service.name,
      server: service.title,
      privateEndpoints: options.privateEndpoints,
    }),
    (https) => ({
      name: service.name,
      channels: [service.name],
      reports: false,
      ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
      // Each URL has its own limits and its own server.
      circuitKey: ({ target }) => ("url" in target && URL.canParse(target.url) ? new URL(target.url).host : ""),
      send: Effect.fnUntraced(function* (message): Effect.fn.Return<Accepted, ProviderError> {
        const { target } = message
        if (target.channel !== service.name || !("url" in target)) return yield* wrongTarget(service)
        const url = new URL(target.url)
        for (const [name, value] of Object.entries(service.query ?? {})) url.searchParams.set(name, value)
        const request = yield* service.requestOf(message)
        if ("fault" in request) return yield* new PermanentError({ code: "invalid_payload", message: request.fault })
        const bytes = Buffer.byteLength(request.body)
        if (service.maxBytes !== undefined && bytes > service.maxBytes) {
          return yield* new PermanentError({
            code: "payload_too_large",
            message: `the message has ${bytes} bytes, ${service.title} accepts ${service.maxBytes}; shorten title, body or data`,
          })
        }
        const headers = { "content-type": "application/json", "content-length": bytes, ...request.headers }
        return yield* classify(service, yield* https.post(url, headers, request.body))
      }),
    }),
  )

const classify = Effect.fnUntraced(function* (
  service: ChatService,
  response: PublicHttps.PublicHttpsResponse,
): Effect.fn.Return<Accepted, ProviderError> {
  const { headers, status, text } = response
  const message = `${service.title} responded with ${status} ${text.replace(/[\s\p{Cc}]+/gu, " ").slice(0, 300)}`.trim()
  if (status >= 200 && status < 300) {
    const failure = yield* service.hiddenFailure?.(response) ?? Effect.succeed(undefined)
    if (failure !== undefined) return yield* Effect.fail(failure)
    const providerId = yield* service.providerIdOf?.(response) ?? Effect.succeed(undefined)
    return providerId === undefined ? {} : { providerId }
  }
  if (status >= 300 && status < 400)
    return yield* new PermanentError({ code: "redirected", message: `${message}; redirects are not followed` })
  const gone = service.goneReason(response)
  if (gone !== undefined) return yield* new InvalidTarget({ reason: gone, message })
  if (status === 429) return yield* throttled(service, headers, message)
  if (status >= 500 || status === 408) {
    const retryAfterMillis = yield* HttpCall.parseRetryAfter(headers)
    return yield* new TransientError({
      dependency: service.name,
      code: "unavailable",
      message,
      ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
    })
  }
  return yield* new PermanentError({ code: status === 413 ? "payload_too_large" : "refused", message })
})

/** The service asks to come back later; without a time after half a minute. */
export const throttled = (
  { name }: Pick<ChatService, "name">,
  headers: Headers,
  message: string,
): Effect.Effect<never, TransientError> =>
  Effect.flatMap(HttpCall.parseRetryAfter(headers), (retryAfterMillis = defaultRetryAfterMillis) =>
    // A burst to one channel takes longer than the attempts of a message; `maxProviderWait` limits it.
    Effect.fail(
      new TransientError({ dependency: name, code: "throttled", message, retryAfterMillis, countsAsAttempt: false }),
    ),
  )

const wrongTarget = ({ title }: ChatService) =>
  new PermanentError({ code: "wrong_recipient", message: `the target is not a webhook of ${title}` })

/** The fields of `data.<channel>`, which replace those that this program writes; a string is a fault. */
export const extraFields = (
  { data }: Pick<Message, "data">,
  channel: ChatService["name"],
): Readonly<Record<string, Schema.Json>> | string => {
  const extra = data[channel]
  if (extra === undefined) return {}
  return isObject(extra) ? extra : `data.${channel} must be an object with fields of the service's message`
}

const isObject = (value: Schema.Json): value is { readonly [key: string]: Schema.Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The body as JSON, with the fields of `data.<channel>`. */
export const jsonRequest = (message: Message, channel: ChatService["name"], fields: object) => {
  const extra = extraFields(message, channel)
  return Effect.succeed(
    typeof extra === "string" ? { fault: extra } : { body: JSON.stringify({ ...fields, ...extra }) },
  )
}
