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
import { importPKCS8, SignJWT } from "jose"
import {
  type Accepted,
  collapseIdOf,
  layer as routeLayer,
  type Message,
  type RouteError,
  TargetDead,
  TargetForeign,
} from "../Route.ts"
import * as ApnsSessions from "./ApnsSessions.ts"
import * as Token from "./Token.ts"

export interface Options {
  /** The `.p8` file's content. */
  readonly key: Redacted.Redacted<string>
  readonly keyId: string
  readonly teamId: string
  readonly topic: string
  readonly baseUrl?: string
  readonly perSecond?: number
  /** A certificate to trust beside the system's, for tests. */
  readonly ca?: string
  /** Apple refuses keys that sign more often than every 20 minutes. */
  readonly signAtMostEvery?: Duration.Duration
}

const name = "apns"
const maxBytes = 4_096
const tokenLife = Duration.minutes(50)
const throttleMillis = 5_000

export const layer = (options: Options) => routeLayer(make(options))

export const make = Effect.fnUntraced(function* (options: Options) {
  const key = yield* Effect.tryPromise({
    try: () => importPKCS8(Redacted.value(options.key).replaceAll("\\n", "\n"), "ES256"),
    catch: () => misconfigured("APNS_KEY", "is no EC key in PKCS #8; give the content of the .p8 file"),
  })
  const sessions = yield* ApnsSessions.make(
    options.baseUrl ?? "https://api.push.apple.com",
    options.ca === undefined ? {} : { ca: options.ca },
  )
  const token = Token.make<never>(
    Effect.gen(function* () {
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const value = yield* Effect.promise(() =>
        new SignJWT({})
          .setProtectedHeader({ alg: "ES256", kid: options.keyId })
          .setIssuer(options.teamId)
          .setIssuedAt(now)
          .sign(key),
      )
      return { value, livesMillis: Duration.toMillis(tokenLife) }
    }),
    Duration.toMillis(options.signAtMostEvery ?? Duration.minutes(20)),
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

  const send = (message: Message): Effect.Effect<Accepted, RouteError> => {
    const body = bodyOf(message)
    if (typeof body !== "string") return Effect.fail(body)
    return Effect.flatMap(token.get, (access) =>
      Effect.flatMap(post(message, access, body), (answer) => {
        const reason = reasonOf(answer.body)
        // Of a time that this machine's clock does not show any more: a later try signs anew.
        if (reason.reason === "InvalidProviderToken")
          return Effect.andThen(token.refused(access), judge(answer, reason))
        if (reason.reason !== "ExpiredProviderToken") return judge(answer, reason)
        return token.refused(access).pipe(
          Effect.andThen(token.get),
          Effect.flatMap((renewed) => post(message, renewed, body)),
          Effect.flatMap((second) => judge(second, reasonOf(second.body))),
        )
      }),
    )
  }

  const judge = (answer: ApnsSessions.Answer, reason: Reason): Effect.Effect<Accepted, RouteError> => {
    if (!untrusted.has(reason.reason)) sessions.trust()
    if (answer.status !== 200) return Effect.fail(refusal(answer.status, reason))
    const id = answer.headers["apns-id"]
    return Effect.succeed(typeof id === "string" ? { providerId: id } : {})
  }

  return {
    name,
    channels: ["apns"] as const,
    reports: false,
    ...(options.perSecond === undefined ? {} : { perSecond: options.perSecond }),
    send,
  }
})

/** The reasons that say that the token was not accepted. */
const untrusted: ReadonlySet<string> = new Set(["ExpiredProviderToken", "InvalidProviderToken", "MissingProviderToken"])
const configuration: ReadonlySet<string> = new Set([
  ...untrusted,
  "TopicDisallowed",
  "BadTopic",
  "MissingTopic",
  "BadCertificate",
  "BadCertificateEnvironment",
  "BadEnvironmentKeyInToken",
  "Forbidden",
])
const dead: ReadonlySet<string> = new Set(["Unregistered", "ExpiredToken", "BadDeviceToken"])

interface Reason {
  readonly reason: string
  /** Since when the token is dead, epoch milliseconds. */
  readonly timestamp?: number
}

const refusal = (status: number, { reason, timestamp }: Reason): RouteError => {
  const message = `APNs answered ${status} ${reason}`
  if (status === 410 || dead.has(reason)) {
    return new TargetDead({
      reason: snake(reason === "" ? "Unregistered" : reason),
      message,
      ...(timestamp === undefined ? {} : { since: timestamp }),
    })
  }
  if (reason === "DeviceTokenNotForTopic") {
    return new TargetForeign({
      reason: snake(reason),
      setting: "APNS_TOPIC",
      message: `the token was registered with another app: ${message}`,
    })
  }
  if (configuration.has(reason)) {
    const setting = untrusted.has(reason) ? "APNS_KEY" : "APNS_TOPIC"
    // Apple compares when the token was signed with its own time, which says nothing of a clock.
    const clock = untrusted.has(reason) ? "; is the clock of this machine right?" : ""
    return misconfigured(setting, `is refused: ${message}${clock}`)
  }
  if (status === 429) {
    return new TransientError({ dependency: name, code: "throttled", message, retryAfterMillis: throttleMillis })
  }
  if (status >= 500 || reason === "IdleTimeout") {
    return new TransientError({ dependency: name, code: "unavailable", message })
  }
  return new PermanentError({ code: snake(reason === "" ? "refused" : reason), message })
}

/** All targets of a notification get one body: it is made for the first, and found by the data that they share. */
const bodies = new WeakMap<Message["data"], Pick<Message, "title" | "text"> & { readonly body: string }>()

const bodyOf = ({ data, text, title }: Message): string | PermanentError => {
  const known = bodies.get(data)
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
  bodies.set(data, { title, text, body })
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

const snake = (reason: string): string => reason.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()

const misconfigured = (setting: string, message: string) =>
  new ConfigurationError({ setting, message: `${setting} ${message}` })
