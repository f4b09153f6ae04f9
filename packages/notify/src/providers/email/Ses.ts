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
import { Attachments } from "../../request/Attachments.ts"
import {
  layer as providerLayer,
  UnknownOutcome,
  type Provider,
  type ProviderError,
  SenderMismatch,
} from "../../provider/Provider.ts"
import * as HttpCall from "../HttpCall.ts"
import * as Mail from "./Mail.ts"
import { tagName, tagOf } from "./SesTag.ts"

export interface Options {
  readonly region: string
  readonly from: string
  readonly endpoint?: string
  readonly configurationSet?: string
  /** Absent: found as every AWS program does. */
  readonly credentials?: NonNullable<SESv2ClientConfig["credentials"]>
  readonly maxPerSecond?: number
  readonly reports: boolean
}

const name = "ses"
export const layer = (options: Options) => providerLayer(make(options))

export const make = Effect.fnUntraced(function* (options: Options) {
  const from = yield* Mail.parseSender(options.from)
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

  const send: Provider["send"] = Effect.fnUntraced(function* (message) {
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
      catch: (cause) => toProviderError(cause, from.address),
    })
    return sent.MessageId === undefined ? {} : { providerId: sent.MessageId }
  })

  return {
    name,
    channels: ["email"],
    reports: options.reports,
    ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
    send,
  } satisfies Provider
})

const throttlingErrors: ReadonlySet<string> = new Set([
  "TooManyRequestsException",
  "ThrottlingException",
  "Throttling",
  "LimitExceededException",
])
const configurationErrors: ReadonlySet<string> = new Set([
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
const quotaRetryMillis = 3_600_000

const toProviderError = (cause: unknown, sender: string): ProviderError => {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const message = `SES: ${error.name} ${error.message}`
  if (configurationErrors.has(error.name)) return new ConfigurationError({ setting: "SES_REGION", message, cause })
  if (/not verified/i.test(error.message)) {
    if (error.message.includes(sender)) return new ConfigurationError({ setting: "MAIL_FROM", message, cause })
    // In the sandbox SES sends to verified addresses alone.
    return new SenderMismatch({ reason: "refused", setting: "SES_REGION", message })
  }
  if (throttlingErrors.has(error.name)) {
    const daily = /daily message quota/i.test(error.message)
    return new TransientError({
      dependency: name,
      code: "throttled",
      message,
      retryAfterMillis: daily ? quotaRetryMillis : 1_000,
    })
  }
  if (!(error instanceof SESv2ServiceException)) {
    return HttpCall.wasNotSent(HttpCall.errorCodeOf(error))
      ? new TransientError({ dependency: name, code: "unavailable", message, cause })
      : new UnknownOutcome({ message })
  }
  const status = error.$metadata.httpStatusCode ?? 0
  if (status === 401 || status === 403) return new ConfigurationError({ setting: "SES_REGION", message, cause })
  if (status >= 500) return new TransientError({ dependency: name, code: "unavailable", message })
  return new PermanentError({ code: "refused", message })
}
