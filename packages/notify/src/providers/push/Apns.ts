/**
 * Push by Apple. Setup: a `.p8` key with its id, the team's id and the app's bundle id as topic.
 *
 * | response | result |
 * |---|---|
 * | 410 Unregistered, ExpiredToken | invalid target, with the time |
 * | 400 BadDeviceToken | refusal: an invalid token, or all are of the other environment (`APNS_BASE_URL`) |
 * | 403 ExpiredProviderToken | signed again once, then configuration error |
 * | 400 DeviceTokenNotForTopic | refusal: a token of another app, or `APNS_TOPIC` is wrong |
 * | 403 others; 400 TopicDisallowed, BadTopic, MissingTopic | configuration error |
 * | 429 | throttled |
 * | 500, 503, 400 IdleTimeout | transient |
 * | everything else | permanent |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Exit, Option, Redacted, Schema } from "effect"
import {
  type Accepted,
  collapseIdOf,
  layer as providerLayer,
  type Message,
  type ProviderError,
  InvalidTarget,
  Refusal,
  sendBy,
  type StartCall,
  type UnknownOutcome,
} from "../../provider/Provider.ts"
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts"
import { httpProtocols } from "../../provider/ProviderSettings.ts"
import * as ApnsSessions from "./ApnsSessions.ts"
import * as CachedToken from "../CachedToken.ts"
import * as PushApps from "./PushApps.ts"
import * as PushPayload from "./PushPayload.ts"

export interface Options {
  /** The `.p8` file's content. */
  readonly key: Redacted.Redacted<string>
  readonly keyId: string
  readonly teamId: string
  readonly topic: string
  /** The topics of further apps of the team, by the name that devices register with. */
  readonly apps?: ReadonlyMap<string, string>
  readonly baseUrl?: string
  readonly maxPerSecond?: number
  /** A certificate to trust in addition to the system's, for tests. */
  readonly ca?: string
  /** Apple rejects keys that sign more often than every 20 minutes. */
  readonly minSigningInterval?: Duration.Duration
  /** A call without a response for this time makes the connection be pinged. Default 5 s. */
  readonly lateAfter?: Duration.Duration
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
    APNS_APPS: {
      kind: "list",
      pattern: /^[A-Za-z0-9._-]{1,100}:[A-Za-z0-9.-]{1,150}$/,
      items: "app:bundle id, such as driver:com.example.driver",
      description: "bundle ids of further apps of the team, by the `app` of their devices",
      example: "driver:com.example.driver",
    },
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
      apps: new Map((settings.APNS_APPS ?? []).map((entry) => PushApps.parse(entry))),
      ...(settings.APNS_BASE_URL === undefined ? {} : { baseUrl: settings.APNS_BASE_URL }),
      ...limits,
    }),
})

export const make = Effect.fnUntraced(function* (options: Options) {
  const clock = yield* Clock.Clock
  const { importPKCS8, SignJWT } = yield* Effect.promise(() => import("jose"))
  const key = yield* Effect.tryPromise({
    try: () => importPKCS8(Redacted.value(options.key).replaceAll("\\n", "\n"), "ES256"),
    catch: () => misconfigured("APNS_KEY", "is not an EC key in PKCS #8; set it to the content of the .p8 file"),
  })
  const sessions = yield* ApnsSessions.make(options.baseUrl ?? "https://api.push.apple.com", {
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.lateAfter === undefined ? {} : { lateAfterMillis: Duration.toMillis(options.lateAfter) }),
  })
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

  const topicOf = ({ target }: Message): string | undefined =>
    target.channel !== "apns" || target.app === undefined ? options.topic : options.apps?.get(target.app)

  const post = (message: Message, access: string, body: string, topic: string, resume: ApnsSessions.Resume) =>
    sessions.post(
      `/3/device/${message.target.channel === "apns" ? message.target.token : ""}`,
      {
        authorization: `bearer ${access}`,
        "apns-topic": PushPayload.isLiveActivity(message) ? `${topic}.push-type.liveactivity` : topic,
        "apns-push-type": pushTypeOf(message),
        "apns-priority": PushPayload.apnsPriority(message),
        "apns-id": message.uuid,
        // Apple orders the updates of a Live Activity by their timestamp.
        ...(PushPayload.isLiveActivity(message) ? {} : { "apns-collapse-id": collapseIdOf(message) }),
        ...(message.expiresAt === undefined ? {} : { "apns-expiration": String(Math.floor(message.expiresAt / 1000)) }),
      },
      body,
      resume,
    )

  const posted = (message: Message, access: string, body: string, topic: string) =>
    Effect.callback<ApnsSessions.ApnsResponse, TransientError | UnknownOutcome>((resume) =>
      Effect.sync(post(message, access, body, topic, resume)),
    )

  const start: StartCall = (message, end, rest) => {
    const body = bodyOf(message)
    const topic = topicOf(message)
    if (typeof body !== "string") end(Exit.fail(body))
    else if (topic === undefined) end(Exit.fail(PushApps.unknown(message, "APNS_APPS")))
    else {
      const access = token.at(clock.currentTimeMillisUnsafe())
      if (access !== undefined)
        return post(message, access, body, topic, (posted) => {
          if (Exit.isFailure(posted)) return end(Exit.failCause(posted.cause))
          const reason = reasonOf(posted.value.body)
          if (renewableReasons.has(reason.reason)) rest(renewed(message, access, body, topic, posted.value, reason))
          else end(classify(posted.value, reason))
        })
      rest(
        Effect.flatMap(token.get, (created) =>
          Effect.flatMap(posted(message, created, body, topic), (response) => {
            const reason = reasonOf(response.body)
            return renewableReasons.has(reason.reason)
              ? renewed(message, created, body, topic, response, reason)
              : classify(response, reason)
          }),
        ),
      )
    }
    return notStarted
  }

  /** The rest of a call whose token was rejected. */
  const renewed = (
    message: Message,
    access: string,
    body: string,
    topic: string,
    response: ApnsSessions.ApnsResponse,
    reason: Reason,
  ): Effect.Effect<Accepted, ProviderError> =>
    Effect.andThen(
      token.invalidate(access),
      // The clock of this machine may have been wrong when the token was signed: the next attempt signs again.
      reason.reason === "InvalidProviderToken"
        ? classify(response, reason)
        : token.get.pipe(
            Effect.flatMap((fresh) => posted(message, fresh, body, topic)),
            Effect.flatMap((second) => classify(second, reasonOf(second.body))),
          ),
    )

  const classify = (response: ApnsSessions.ApnsResponse, reason: Reason): Exit.Exit<Accepted, ProviderError> => {
    if (!providerTokenReasons.has(reason.reason)) sessions.acceptToken()
    if (response.status !== 200) return Exit.fail(toError(response.status, reason))
    const id = response.headers["apns-id"]
    return Exit.succeed(typeof id === "string" ? { providerId: id } : {})
  }

  return {
    name,
    channels: ["apns"] as const,
    reports: false,
    ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
    send: sendBy(start),
  }
})

const notStarted = () => {}

const pushTypeOf = (message: Message): string =>
  PushPayload.isLiveActivity(message) ? "liveactivity" : PushPayload.isSilent(message) ? "background" : "alert"

/** Reasons that concern the signed token. */
const providerTokenReasons: ReadonlySet<string> = new Set([
  "ExpiredProviderToken",
  "InvalidProviderToken",
  "MissingProviderToken",
])
/** Reasons for which another token may be accepted. */
const renewableReasons: ReadonlySet<string> = new Set(["ExpiredProviderToken", "InvalidProviderToken"])
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
const invalidTokenReasons: ReadonlySet<string> = new Set(["Unregistered", "ExpiredToken"])

interface Reason {
  readonly reason: string
  /** When the device token became invalid, epoch milliseconds. */
  readonly timestamp?: number
}

const toError = (status: number, { reason, timestamp }: Reason): ProviderError => {
  const message = `APNs responded with ${status} ${reason}`
  if (status === 410 || invalidTokenReasons.has(reason)) {
    return new InvalidTarget({
      reason: snakeCase(reason === "" ? "Unregistered" : reason),
      message,
      ...(timestamp === undefined ? {} : { invalidSince: timestamp }),
    })
  }
  if (reason === "BadDeviceToken") {
    return new Refusal({
      fault: "recipient",
      isTargetInvalid: true,
      reason: snakeCase(reason),
      setting: "APNS_BASE_URL",
      message: `the token is invalid, or belongs to the other of Apple's two environments: ${message}`,
    })
  }
  if (reason === "DeviceTokenNotForTopic") {
    return new Refusal({
      fault: "recipient",
      reason: snakeCase(reason),
      setting: "APNS_TOPIC",
      message: `the token was registered with another app: ${message}`,
    })
  }
  if (configurationReasons.has(reason)) {
    const setting = providerTokenReasons.has(reason) ? "APNS_KEY" : "APNS_TOPIC"
    // Apple compares the signing time with its own clock; the response does not mention the clock.
    const clock = providerTokenReasons.has(reason) ? "; check that the clock of this machine is right" : ""
    return misconfigured(setting, `was rejected: ${message}${clock}`)
  }
  if (status === 429) {
    return new TransientError({ dependency: name, code: "throttled", message, retryAfterMillis: throttledRetryMillis })
  }
  if (status >= 500 || reason === "IdleTimeout") {
    return new TransientError({ dependency: name, code: "unavailable", message })
  }
  return new PermanentError({ code: snakeCase(reason === "" ? "refused" : reason), message })
}

/** All targets of a notification share one `data` object, so its body is encoded once and found by that object. */
const bodyByData = new WeakMap<
  Message["data"],
  Pick<Message, "title" | "text"> & { readonly push: Message["push"] | undefined; readonly body: string }
>()

const bodyOf = (message: Message): string | PermanentError => {
  const { data, push, text, title } = message
  const cached = bodyByData.get(data)
  if (cached !== undefined && cached.title === title && cached.text === text && cached.push === push) return cached.body
  const aps = PushPayload.apsOf(message)
  if (typeof aps === "string") return new PermanentError({ code: "invalid_payload", message: aps })
  const { aps: _aps, ...rest } = data
  const { actions, image } = push ?? {}
  const payload = {
    // An app reads these two with its extension.
    ...(image === undefined ? {} : { image }),
    ...(actions === undefined ? {} : { actions }),
    ...rest,
    aps: PushPayload.isSilent(message)
      ? aps
      : PushPayload.isLiveActivity(message)
        ? liveActivityOf(aps, title, text)
        : { sound: "default", ...aps, ...silence(push), alert: alertOf(aps["alert"], title, text) },
  }
  const body = JSON.stringify(payload)
  const bytes = Buffer.byteLength(body)
  if (bytes > maxBytes) {
    return new PermanentError({
      code: "payload_too_large",
      message: `the push has ${bytes} bytes, APNs accepts ${maxBytes}; shorten title, body or data${PushPayload.largestField(message)}`,
    })
  }
  bodyByData.set(data, { title, text, push, body })
  return body
}

/** An update without an alert changes the activity quietly. */
const liveActivityOf = (aps: Readonly<Record<string, Schema.Json>>, title: string, text: string) =>
  title === "" && text === "" ? aps : { ...aps, alert: alertOf(aps["alert"], title, text) }

/** JSON omits the key. */
const silence = (push: Message["push"]) => (push?.sound === false ? { sound: undefined } : {})

/** The other keys of the publisher's `alert`, such as `subtitle` and `loc-key`, with the title and body of the request. */
const alertOf = (given: Schema.Json | undefined, title: string, body: string) =>
  typeof given === "object" && given !== null && !Array.isArray(given) ? { ...given, title, body } : { title, body }

const decodeReason = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ reason: Schema.String, timestamp: Schema.optionalKey(Schema.Finite) })),
)

const reasonOf = (body: string): Reason => {
  const reason = body === "" ? Option.none() : decodeReason(body)
  return Option.getOrElse(reason, () => noReason)
}

const noReason: Reason = { reason: "" }

const snakeCase = (reason: string): string => reason.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()

const misconfigured = (setting: string, message: string) =>
  new ConfigurationError({ setting, message: `${setting} ${message}` })
