/**
 * E-mail by Amazon SES v2. Set up: `SES_REGION`, credentials as every AWS program finds them, `MAIL_FROM` as a verified
 * identity, and for delivery reports a configuration set that publishes to SNS with our webhook as subscriber.
 *
 * | exception | class |
 * |---|---|
 * | TooManyRequests, Throttling, LimitExceeded | throttled: 1 s, or an hour where the daily quota is used up |
 * | AccountSuspended, SendingPaused, MailFromDomainNotVerified, NotFound, refused credentials | configuration |
 * | MessageRejected as the sender is not verified | configuration |
 * | MessageRejected as the address is not verified (sandbox) | foreign: its own failure where other mail is taken |
 * | MessageRejected, BadRequest, other 4xx | permanent |
 * | 5xx | transient |
 * | no answer | unknown |
 */
import { SendEmailCommand, SESv2Client, type SESv2ClientConfig, SESv2ServiceException } from "@aws-sdk/client-sesv2"
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import { createTransport } from "nodemailer"
import { Attachments } from "../Attachments.ts"
import { layer as routeLayer, OutcomeUnknown, type Route, type RouteError, TargetForeign } from "../Route.ts"
import * as HttpCall from "./HttpCall.ts"
import * as Mail from "./Mail.ts"
import { tagName, tagOf } from "./SesTag.ts"

export interface Options {
  readonly region: string
  readonly from: string
  readonly endpoint?: string
  readonly configurationSet?: string
  /** Absent: found as every AWS program does. */
  readonly credentials?: NonNullable<SESv2ClientConfig["credentials"]>
  readonly perSecond?: number
  readonly reports: boolean
}

const name = "ses"
export const layer = (options: Options) => routeLayer(make(options))

export const make = Effect.fnUntraced(function* (options: Options) {
  const from = yield* Mail.senderOf(options.from)
  const attachments = yield* Attachments
  const client = new SESv2Client({
    region: options.region,
    // The worker loop owns the retries.
    maxAttempts: 1,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
  const composer = createTransport({ streamTransport: true, buffer: true, newline: "windows" })

  const send: Route["send"] = Effect.fnUntraced(function* (message) {
    const mail = yield* Mail.make(message, from, attachments)
    const raw = yield* Effect.tryPromise({
      try: () => composer.sendMail(Mail.toNodemailer(mail)),
      catch: (cause) => new PermanentError({ code: "refused", message: "the mail cannot be composed", cause }),
    })
    const sent = yield* Effect.tryPromise({
      try: (abortSignal) =>
        client.send(
          new SendEmailCommand({
            FromEmailAddress: mail.from.address,
            Destination: { ToAddresses: [mail.to] },
            Content: { Raw: { Data: Buffer.isBuffer(raw.message) ? raw.message : Buffer.from(String(raw.message)) } },
            EmailTags: [{ Name: tagName, Value: tagOf(message.deliveryId) }],
            ...(options.configurationSet === undefined ? {} : { ConfigurationSetName: options.configurationSet }),
          }),
          { abortSignal },
        ),
      catch: (cause) => failureOf(cause, from.address),
    })
    return sent.MessageId === undefined ? {} : { providerId: sent.MessageId }
  })

  return {
    name,
    channels: ["email"],
    reports: options.reports,
    ...(options.perSecond === undefined ? {} : { perSecond: options.perSecond }),
    send,
  } satisfies Route
})

const throttled: ReadonlySet<string> = new Set([
  "TooManyRequestsException",
  "ThrottlingException",
  "Throttling",
  "LimitExceededException",
])
const configuration: ReadonlySet<string> = new Set([
  "AccountSuspendedException",
  "SendingPausedException",
  "MailFromDomainNotVerifiedException",
  "NotFoundException",
  "AccessDeniedException",
  "UnrecognizedClientException",
  "InvalidSignatureException",
  "SignatureDoesNotMatch",
  "InvalidClientTokenId",
  "ExpiredTokenException",
  "CredentialsProviderError",
])
const hourMillis = 3_600_000

const failureOf = (cause: unknown, sender: string): RouteError => {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const message = `SES: ${error.name} ${error.message}`
  if (configuration.has(error.name)) return new ConfigurationError({ setting: "SES_REGION", message, cause })
  if (/not verified/i.test(error.message)) {
    if (error.message.includes(sender)) return new ConfigurationError({ setting: "MAIL_FROM", message, cause })
    // In the sandbox SES sends to verified addresses alone.
    return new TargetForeign({ reason: "refused", setting: "SES_REGION", message })
  }
  if (throttled.has(error.name)) {
    const daily = /daily message quota/i.test(error.message)
    return new TransientError({
      dependency: name,
      code: "throttled",
      message,
      retryAfterMillis: daily ? hourMillis : 1_000,
    })
  }
  if (!(error instanceof SESv2ServiceException)) {
    return HttpCall.neverLeft(HttpCall.codeOf(error))
      ? new TransientError({ dependency: name, code: "unavailable", message, cause })
      : new OutcomeUnknown({ message })
  }
  const status = error.$metadata.httpStatusCode ?? 0
  if (status === 401 || status === 403) return new ConfigurationError({ setting: "SES_REGION", message, cause })
  if (status >= 500) return new TransientError({ dependency: name, code: "unavailable", message })
  return new PermanentError({ code: "refused", message })
}
