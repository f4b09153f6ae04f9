/**
 * Push by Firebase Cloud Messaging, HTTP v1. Set up: a service account's JSON with the role
 * `Firebase Cloud Messaging API Admin`.
 *
 * | answer | class |
 * |---|---|
 * | 404 UNREGISTERED | target dead |
 * | 400 with FcmError INVALID_ARGUMENT | permanent, reason `invalid_argument`: the token is suspect |
 * | 400 otherwise | permanent, reason `bad_request` |
 * | 401 | the access token is made anew once, then configuration |
 * | 403 SENDER_ID_MISMATCH | foreign: a token of another project |
 * | 401 THIRD_PARTY_AUTH_ERROR | Apple devices and browsers are not reached: those messages wait, others go on |
 * | other 403, 404 | configuration |
 * | 429 QUOTA_EXCEEDED | throttled: `Retry-After`, else 60 s |
 * | 500, 503, others | transient: `Retry-After` where given |
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Clock, Effect, Redacted, Schema } from "effect"
import {
  collapseIdOf,
  TargetKindMisconfigured,
  layer as providerLayer,
  type Message,
  type UnknownOutcome,
  type Provider,
  type ProviderError,
  InvalidTarget,
  SenderMismatch,
} from "../../provider/Provider.ts"
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts"
import { httpProtocols } from "../../provider/ProviderSettings.ts"
import * as HttpCall from "../HttpCall.ts"
import * as CachedToken from "../CachedToken.ts"

export interface Options {
  /** The service account's JSON. */
  readonly serviceAccount: Redacted.Redacted<string>
  readonly baseUrl?: string
  readonly maxPerSecond?: number
}

const Account = Schema.fromJsonString(
  Schema.Struct({
    project_id: Schema.NonEmptyString,
    client_email: Schema.NonEmptyString,
    private_key: Schema.NonEmptyString,
    token_uri: Schema.NonEmptyString,
  }),
)

const name = "fcm"
const maxBytes = 4_096
const scope = "https://www.googleapis.com/auth/firebase.messaging"
const defaultRetryAfterMillis = 60_000

export const layer = (options: Options) => providerLayer(make(options))

export const fcm = ProviderDescriptor.define({
  name,
  title: "FCM",
  channel: "fcm",
  settings: {
    FCM_SERVICE_ACCOUNT: {
      kind: "jsonSecret",
      properties: ["project_id", "client_email", "private_key"],
      isRequired: true,
      description: "service account of Firebase Cloud Messaging, as JSON",
      defaultText: "off",
      example: "{…}",
    },
    FCM_BASE_URL: {
      kind: "url",
      protocols: httpProtocols,
      description: "base URL of FCM, for tests",
      example: "https://fcm.googleapis.com",
    },
  },
  layer: ({ FCM_BASE_URL: baseUrl, FCM_SERVICE_ACCOUNT: serviceAccount }, { limits }) =>
    layer({ serviceAccount, ...(baseUrl === undefined ? {} : { baseUrl }), ...limits }),
})

export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Provider, ConfigurationError> {
  const account = yield* Effect.mapError(
    Schema.decodeUnknownEffect(Account)(Redacted.value(options.serviceAccount)),
    // The message of the decoder could hold a part of the key.
    () => misconfigured("is no service account: it needs project_id, client_email, private_key and token_uri"),
  )
  const { importPKCS8, SignJWT } = yield* Effect.promise(() => import("jose"))
  const key = yield* Effect.tryPromise({
    // A JSON that went through a shell or an env file has its line breaks escaped twice.
    try: () => importPKCS8(account.private_key.replaceAll("\\n", "\n"), "RS256"),
    catch: () => misconfigured("has a private_key that is no RSA key in PKCS #8"),
  })

  const token = CachedToken.make<ProviderError>(
    Effect.gen(function* () {
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const assertion = yield* Effect.promise(() =>
        new SignJWT({ scope })
          .setProtectedHeader({ alg: "RS256", typ: "JWT" })
          .setIssuer(account.client_email)
          .setAudience(account.token_uri)
          .setIssuedAt(now)
          .setExpirationTime(now + 3_600)
          .sign(key),
      )
      const answer = yield* HttpCall.call(name, account.token_uri, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({
          grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
          assertion,
        }).toString(),
      }).pipe(
        // No message was sent yet: a lost answer costs nothing.
        Effect.catchTag("UnknownOutcome", ({ message }) => Effect.fail(unavailable(message))),
      )
      const found = decodeAccess(yield* HttpCall.parseJson(answer.text))
      if (answer.status === 200 && found._tag === "Some") {
        const { access_token: value, expires_in } = found.value
        return { value, ttlMillis: Math.max(30, expires_in - 300) * 1000 }
      }
      if (answer.status >= 500 || answer.status === 429) {
        return yield* unavailable(`the token endpoint answered ${answer.status}`)
      }
      const why = decodeTokenError(yield* HttpCall.parseJson(answer.text))
      const { error = "", error_description = "" } = why._tag === "Some" ? why.value : {}
      return yield* misconfigured(
        `was refused by its token endpoint with ${answer.status} ${error} ${error_description}`.trimEnd() +
          "; is the key still there, and is the clock of this machine right?",
      )
    }),
  )

  const url = `${options.baseUrl ?? "https://fcm.googleapis.com"}/v1/projects/${account.project_id}/messages:send`

  const send = Effect.fnUntraced(function* (message: Message) {
    const body = yield* bodyOf(message)
    const post = (access: string) =>
      HttpCall.call(name, url, {
        method: "POST",
        headers: { authorization: `Bearer ${access}`, "content-type": "application/json" },
        body,
      })
    const access = yield* token.get
    const first = yield* post(access)
    if (first.status !== 401) return yield* classify(first)
    const { code } = yield* errorOf(first.text)
    if (code === "THIRD_PARTY_AUTH_ERROR") return yield* classify(first)
    yield* token.invalidate(access)
    return yield* Effect.flatMap(token.get, (renewed) => Effect.flatMap(post(renewed), classify))
  })

  return {
    name,
    channels: ["fcm"],
    reports: false,
    ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
    send,
  }
})

const classify = Effect.fnUntraced(function* (
  answer: HttpCall.HttpResponse,
): Effect.fn.Return<{ readonly providerId?: string }, Exclude<ProviderError, UnknownOutcome>> {
  const { status } = answer
  if (status === 200) {
    const found = decodeAccepted(yield* HttpCall.parseJson(answer.text))
    return found._tag === "Some" ? { providerId: found.value.name } : {}
  }
  const { code, fcm, message } = yield* errorOf(answer.text)
  const retryAfterMillis = yield* HttpCall.parseRetryAfter(answer.headers)
  if (status === 404 && code === "UNREGISTERED") return yield* new InvalidTarget({ reason: "unregistered", message })
  if (status === 400) {
    const suspect = fcm && code === "INVALID_ARGUMENT"
    return yield* new PermanentError({ code: suspect ? "invalid_argument" : "bad_request", message })
  }
  if (status === 403 && code === "SENDER_ID_MISMATCH") {
    return yield* new SenderMismatch({
      reason: "sender_id_mismatch",
      setting: "FCM_SERVICE_ACCOUNT",
      message: `the token was registered with another Firebase project: ${message}`,
    })
  }
  if (status === 401 && code === "THIRD_PARTY_AUTH_ERROR") {
    return yield* new TargetKindMisconfigured({
      kind: "apple_and_browsers",
      message: `the APNs key or the Web Push certificate in the Firebase project is missing or refused; upload it there, under Cloud Messaging: ${message}`,
    })
  }
  if (status === 401 || status === 403 || status === 404) {
    return yield* misconfigured(`does not allow this: ${status} ${code} ${message}`)
  }
  if (status === 429) {
    return yield* new TransientError({
      dependency: name,
      code: "throttled",
      message: `FCM throttles: ${message}`,
      retryAfterMillis: retryAfterMillis ?? defaultRetryAfterMillis,
    })
  }
  if (status >= 500) return yield* unavailable(`FCM answered ${status} ${code}`, retryAfterMillis)
  return yield* new PermanentError({ code: "refused", message: `FCM answered ${status} ${code} ${message}` })
})

const bodyOf = (message: Message): Effect.Effect<string, PermanentError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const { collapseKey, data, expiresAt, target, text, title, uuid } = message
    const ttl = expiresAt === undefined ? undefined : Math.max(0, Math.floor((expiresAt - now) / 1000))
    const content = {
      notification: { title, body: text },
      data: stringValues(data),
      android: {
        // The device shows one notification a tag: a repetition replaces it. A collapse key is the publisher's alone,
        // as FCM keeps no more than four of them for a device that is away.
        notification: { tag: collapseKey ?? uuid },
        ...(collapseKey === undefined ? {} : { collapse_key: collapseKey }),
        ...(ttl === undefined ? {} : { ttl: `${ttl}s` }),
      },
      apns: {
        headers: {
          "apns-id": uuid,
          "apns-collapse-id": collapseIdOf(message),
          ...(expiresAt === undefined ? {} : { "apns-expiration": String(Math.floor(expiresAt / 1000)) }),
        },
      },
      webpush: { notification: { tag: collapseKey ?? uuid } },
    }
    const payload = Buffer.byteLength(JSON.stringify({ notification: content.notification, data: content.data }))
    if (payload > maxBytes) {
      return Effect.fail(
        new PermanentError({
          code: "payload_too_large",
          message: `the push has ${payload} bytes, FCM takes ${maxBytes}; shorten title, body or data`,
        }),
      )
    }
    return Effect.succeed(
      JSON.stringify({ message: { token: target.channel === "fcm" ? target.token : "", ...content } }),
    )
  })

/** FCM knows only text in `data`. */
const stringValues = (data: Message["data"]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  )

const decodeAccess = Schema.decodeUnknownOption(
  Schema.Struct({ access_token: Schema.String, expires_in: Schema.Finite }),
)
const decodeTokenError = Schema.decodeUnknownOption(
  Schema.Struct({ error: Schema.optionalKey(Schema.String), error_description: Schema.optionalKey(Schema.String) }),
)
const decodeAccepted = Schema.decodeUnknownOption(Schema.Struct({ name: Schema.String }))
const decodeError = Schema.decodeUnknownOption(
  Schema.Struct({
    error: Schema.Struct({
      message: Schema.optionalKey(Schema.String),
      status: Schema.optionalKey(Schema.String),
      details: Schema.optionalKey(
        Schema.Array(Schema.Struct({ "@type": Schema.String, errorCode: Schema.optionalKey(Schema.String) })),
      ),
    }),
  }),
)

const errorOf = (text: string) =>
  Effect.map(HttpCall.parseJson(text), (value) => {
    const found = decodeError(value)
    if (found._tag === "None") return { code: "", fcm: false, message: text.slice(0, 200) }
    const { details = [], message = "", status = "" } = found.value.error
    const detail = details.find((one) => one["@type"].endsWith("google.firebase.fcm.v1.FcmError"))
    return { code: detail?.errorCode ?? status, fcm: detail !== undefined, message }
  })

const misconfigured = (message: string) =>
  new ConfigurationError({ setting: "FCM_SERVICE_ACCOUNT", message: `FCM_SERVICE_ACCOUNT ${message}` })

const unavailable = (message: string, retryAfterMillis?: number) =>
  new TransientError({
    dependency: name,
    code: "unavailable",
    message,
    ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
  })
