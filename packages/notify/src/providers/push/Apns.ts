/**
 * Push by Apple. Set up: a `.p8` key with its id, the team's id and the app's bundle id as topic.
 *
 * | answer | class |
 * |---|---|
 * | 410 Unregistered, ExpiredToken; 400 BadDeviceToken | target dead; with 410 since when |
 * | 403 ExpiredProviderToken | signed anew once, then configuration |
 * | 400 DeviceTokenNotForTopic | foreign: a token of another app |
 * | 403 others; 400 TopicDisallowed, BadTopic, MissingTopic | configuration |
 * | 429 | throttled |
 * | 500, 503, 400 IdleTimeout | transient |
 * | everything else | permanent |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Redacted, Schema } from "effect"
import {
  type Accepted,
  collapseIdOf,
  layer as providerLayer,
  type Message,
  type ProviderError,
  InvalidTarget,
  SenderMismatch,
} from "../../provider/Provider.ts"
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts"
import { httpProtocols } from "../../provider/ProviderSettings.ts"
import * as ApnsSessions from "./ApnsSessions.ts"
import * as CachedToken from "../CachedToken.ts"

export interface Options {
  /** The `.p8` file's content. */
  readonly key: Redacted.Redacted<string>
  readonly keyId: string
  readonly teamId: string
  readonly topic: string
  readonly baseUrl?: string
  readonly maxPerSecond?: number
  /** A certificate to trust beside the system's, for tests. */
  readonly ca?: string
  /** Apple refuses keys that sign more often than every 20 minutes. */
  readonly minSigningInterval?: Duration.Duration
}

const name = "apns"
const maxBytes = 4_096
const tokenLifetime = Duration.minutes(50)
const throttledRetryMillis = 5_000

export const layer = (options: Options) => providerLayer(make(options))

export const apns = ProviderDescriptor.define({
  name,
  title: "APNs",
  channel: "apns",
  settings: {
    APNS_KEY: {
      kind: "secret",
      isRequired: true,
      description: "signing key of Apple Push Notification service, the content of the .p8 file",
      defaultText: "off",
      example: "-----BEGIN PRIVATE KEY-----…",
    },
    APNS_KEY_ID: { kind: "text", isRequired: true, description: "id of the APNs key", example: "ABC123DEFG" },
    APNS_TEAM_ID: { kind: "text", isRequired: true, description: "id of the Apple team", example: "DEF123GHIJ" },
    APNS_TOPIC: { kind: "text", isRequired: true, description: "bundle id of the app", example: "com.example.app" },
    APNS_BASE_URL: {
      kind: "url",
      protocols: httpProtocols,
      description: "base URL of APNs, for its sandbox or tests",
      example: "https://api.sandbox.push.apple.com",
    },
  },
  layer: (settings, { limits }) =>
    layer({
      key: settings.APNS_KEY,
      keyId: settings.APNS_KEY_ID,
      teamId: settings.APNS_TEAM_ID,
      topic: settings.APNS_TOPIC,
      ...(settings.APNS_BASE_URL === undefined ? {} : { baseUrl: settings.APNS_BASE_URL }),
      ...limits,
    }),
})

export const make = Effect.fnUntraced(function* (options: Options) {
  const { importPKCS8, SignJWT } = yield* Effect.promise(() => import("jose"))
  const key = yield* Effect.tryPromise({
    try: () => importPKCS8(Redacted.value(options.key).replaceAll("\\n", "\n"), "ES256"),
    catch: () => misconfigured("APNS_KEY", "is no EC key in PKCS #8; give the content of the .p8 file"),
  })
  const sessions = yield* ApnsSessions.make(
    options.baseUrl ?? "https://api.push.apple.com",
    options.ca === undefined ? {} : { ca: options.ca },
  )
  const token = CachedToken.make<never>(
    Effect.gen(function* () {
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const value = yield* Effect.promise(() =>
        new SignJWT({})
          .setProtectedHeader({ alg: "ES256", kid: options.keyId })
          .setIssuer(options.teamId)
          .setIssuedAt(now)
          .sign(key),
      )
      return { value, ttlMillis: Duration.toMillis(tokenLifetime) }
    }),
    Duration.toMillis(options.minSigningInterval ?? Duration.minutes(20)),
  )

  const post = (message: Message, access: string, body: string) =>
    sessions.post(
      `/3/device/${message.target.channel === "apns" ? message.target.token : ""}`,
      {
        authorization: `bearer ${access}`,
        "apns-topic": options.topic,
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-id": message.uuid,
        "apns-collapse-id": collapseIdOf(message),
        ...(message.expiresAt === undefined ? {} : { "apns-expiration": String(Math.floor(message.expiresAt / 1000)) }),
      },
      body,
    )

  const send = (message: Message): Effect.Effect<Accepted, ProviderError> => {
    const body = bodyOf(message)
    if (typeof body !== "string") return Effect.fail(body)
    return Effect.flatMap(token.get, (access) =>
      Effect.flatMap(post(message, access, body), (answer) => {
        const reason = reasonOf(answer.body)
        // Of a time that this machine's clock does not show any more: a later try signs anew.
        if (reason.reason === "InvalidProviderToken")
          return Effect.andThen(token.invalidate(access), classify(answer, reason))
        if (reason.reason !== "ExpiredProviderToken") return classify(answer, reason)
        return token.invalidate(access).pipe(
          Effect.andThen(token.get),
          Effect.flatMap((renewed) => post(message, renewed, body)),
          Effect.flatMap((second) => classify(second, reasonOf(second.body))),
        )
      }),
    )
  }

  const classify = (answer: ApnsSessions.ApnsResponse, reason: Reason): Effect.Effect<Accepted, ProviderError> => {
    if (!providerTokenReasons.has(reason.reason)) sessions.acceptToken()
    if (answer.status !== 200) return Effect.fail(toError(answer.status, reason))
    const id = answer.headers["apns-id"]
    return Effect.succeed(typeof id === "string" ? { providerId: id } : {})
  }

  return {
    name,
    channels: ["apns"] as const,
    reports: false,
    ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
    send,
  }
})

/** The reasons that say that the token was not accepted. */
const providerTokenReasons: ReadonlySet<string> = new Set([
  "ExpiredProviderToken",
  "InvalidProviderToken",
  "MissingProviderToken",
])
const configurationReasons: ReadonlySet<string> = new Set([
  ...providerTokenReasons,
  "TopicDisallowed",
  "BadTopic",
  "MissingTopic",
  "BadCertificate",
  "BadCertificateEnvironment",
  "BadEnvironmentKeyInToken",
  "Forbidden",
])
const invalidTokenReasons: ReadonlySet<string> = new Set(["Unregistered", "ExpiredToken", "BadDeviceToken"])

interface Reason {
  readonly reason: string
  /** Since when the token is dead, epoch milliseconds. */
  readonly timestamp?: number
}

const toError = (status: number, { reason, timestamp }: Reason): ProviderError => {
  const message = `APNs answered ${status} ${reason}`
  if (status === 410 || invalidTokenReasons.has(reason)) {
    return new InvalidTarget({
      reason: snakeCase(reason === "" ? "Unregistered" : reason),
      message,
      ...(timestamp === undefined ? {} : { invalidSince: timestamp }),
    })
  }
  if (reason === "DeviceTokenNotForTopic") {
    return new SenderMismatch({
      reason: snakeCase(reason),
      setting: "APNS_TOPIC",
      message: `the token was registered with another app: ${message}`,
    })
  }
  if (configurationReasons.has(reason)) {
    const setting = providerTokenReasons.has(reason) ? "APNS_KEY" : "APNS_TOPIC"
    // Apple compares when the token was signed with its own time, which says nothing of a clock.
    const clock = providerTokenReasons.has(reason) ? "; is the clock of this machine right?" : ""
    return misconfigured(setting, `is refused: ${message}${clock}`)
  }
  if (status === 429) {
    return new TransientError({ dependency: name, code: "throttled", message, retryAfterMillis: throttledRetryMillis })
  }
  if (status >= 500 || reason === "IdleTimeout") {
    return new TransientError({ dependency: name, code: "unavailable", message })
  }
  return new PermanentError({ code: snakeCase(reason === "" ? "refused" : reason), message })
}

/** All targets of a notification get one body: it is made for the first, and found by the data that they share. */
const bodyByData = new WeakMap<Message["data"], Pick<Message, "title" | "text"> & { readonly body: string }>()

const bodyOf = ({ data, text, title }: Message): string | PermanentError => {
  const known = bodyByData.get(data)
  if (known !== undefined && known.title === title && known.text === text) return known.body
  // `aps` is Apple's: a publisher's data must not take its place.
  const { aps: _aps, ...rest } = data
  const body = JSON.stringify({ ...rest, aps: { alert: { title, body: text }, sound: "default" } })
  const bytes = Buffer.byteLength(body)
  if (bytes > maxBytes) {
    return new PermanentError({
      code: "payload_too_large",
      message: `the push has ${bytes} bytes, APNs takes ${maxBytes}; shorten title, body or data`,
    })
  }
  bodyByData.set(data, { title, text, body })
  return body
}

const decodeReason = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ reason: Schema.String, timestamp: Schema.optionalKey(Schema.Finite) })),
)

const reasonOf = (body: string): Reason => {
  if (body === "") return none
  const found = decodeReason(body)
  return found._tag === "Some" ? found.value : none
}

const none: Reason = { reason: "" }

const snakeCase = (reason: string): string => reason.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()

const misconfigured = (setting: string, message: string) =>
  new ConfigurationError({ setting, message: `${setting} ${message}` })
