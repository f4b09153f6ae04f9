/**
 * E-mail by SMTP. Set up: `SMTP_URL` (`smtp://user:password@host:587`, `smtps://…:465`) and `MAIL_FROM`; `SMTP_CA` for a
 * server whose certificate is of an authority of one's own.
 *
 * | end | class |
 * |---|---|
 * | 250 after the message | accepted |
 * | 4yz, connection lost or silent before the message was complete | transient |
 * | 5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.2.1 | target dead: the address is suppressed |
 * | 530, 534, 535, 538 or any failure to log in; 5.7.x of the sender before RCPT | configuration |
 * | 5yz at the greeting or EHLO | configuration |
 * | "relay denied" at RCPT | foreign: its own failure where other mail is taken, else configuration |
 * | a certificate that nobody trusts; no TLS where it is asked for | configuration |
 * | other 5yz | permanent |
 * | no answer in time, or connection lost, after the message was complete | unknown: the server may have taken it |
 *
 * A password is sent over TLS alone, except to this machine: whoever strips STARTTLS from the conversation must not get
 * it. `?tls=optional` allows it for a server that has no TLS.
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect, Redacted } from "effect"
import type SMTPPool from "nodemailer/lib/smtp-pool"
import { Readable } from "node:stream"
import { Attachments } from "../../request/Attachments.ts"
import { DeliveryPolicy } from "../../delivery/DeliveryPolicy.ts"
import {
  type Accepted,
  layer as providerLayer,
  UnknownOutcome,
  type Provider,
  type ProviderError,
  InvalidTarget,
  SenderMismatch,
} from "../../provider/Provider.ts"
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts"
import { isCertificateError } from "../HttpCall.ts"
import type * as MimeMessage from "./MimeMessage.ts"
import * as Mail from "./Mail.ts"

export interface Options {
  readonly url: Redacted.Redacted<string>
  readonly from: string
  /** The authority of the server's certificate (PEM), where the system does not know it. Nothing is then sent without TLS. */
  readonly ca?: string
  readonly maxPerSecond?: number
  /** Connections at once. Default 5. */
  readonly connections?: number
}

const name = "smtp"

export const layer = (options: Options) => providerLayer(make(options))

export const smtp = ProviderDescriptor.define({
  name,
  title: "SMTP",
  channel: "email",
  settings: {
    SMTP_URL: {
      kind: "url",
      protocols: ["smtp:", "smtps:"],
      isRequired: true,
      description: "mail server, smtp://user:password@host:587 or smtps://…:465",
      defaultText: "a local mailbox page",
      example: "smtp://user:…@smtp.example.com:587",
    },
    SMTP_CA: {
      kind: "file",
      description: "path of the CA certificate of the mail server (PEM); mail is then sent over TLS only",
      defaultText: "the public authorities",
      example: "/etc/ssl/mail-ca.pem",
    },
  },
  layer: ({ SMTP_CA: ca, SMTP_URL: url }, { from, limits }) =>
    layer({ url: Redacted.make(url), ...(ca === undefined ? {} : { ca }), from, ...limits }),
})

export const make = Effect.fnUntraced(function* (options: Options) {
  const from = yield* Mail.parseSender(options.from)
  const attachments = yield* Attachments
  const server = yield* Effect.try({
    try: () => serverOptions(new URL(Redacted.value(options.url))),
    catch: () => misconfigured("SMTP_URL", "this is no URL of the form smtp://user:password@host:587"),
  })
  const { connections = 5 } = options
  const { default: Pool } = yield* Effect.promise(() => import("nodemailer/lib/smtp-pool"))
  const { makeWriter } = yield* Effect.promise(() => import("./MimeMessage.ts"))
  const pool = new Pool({
    ...server,
    ...(options.ca === undefined ? {} : { requireTLS: true, tls: { ca: options.ca } }),
    maxConnections: connections,
    maxMessages: Infinity,
    // The worker loop owns the retries.
    maxRequeues: 0,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => pool.close({ force: true })))
  const { write } = makeWriter(from)
  // The guard's limit would leave it unknown whatever was reached: a server that hangs is told of before.
  const stallMillis = 0.9 * Duration.toMillis((yield* DeliveryPolicy).callTimeout)
  /** Deliveries whose call was ended before the server could have their message. */
  const abortedDeliveries = new Set<string>()

  const exchange = (deliveryId: string, messageId: string, { content, envelope }: MimeMessage.MimeMessage) =>
    Effect.callback<Accepted, ProviderError>((resume) => {
      const controller = new AbortController()
      // Whether the server can have the whole message is known by how far it was read. In one piece it takes a third of
      // the writes.
      const stream = new Readable({ read: () => {} })
      stream.push(content)
      stream.push(null)
      const stallTimer = setTimeout(() => {
        const complete = stream.readableEnded
        controller.abort()
        resume(Effect.fail(complete ? unknownOutcome : stalled))
      }, stallMillis)
      pool.send(poolMessage(messageId, envelope, stream, controller.signal), (error, sent) => {
        clearTimeout(stallTimer)
        if (error !== null && error !== undefined)
          return resume(Effect.fail(toProviderError(error, stream.readableEnded)))
        // With one recipient a refusal is an error already; should a server accept nobody all the same, say so.
        const refused = sent?.accepted.length === 0 ? sent.rejectedErrors?.[0] : undefined
        resume(
          refused === undefined
            ? Effect.succeed({ providerId: messageId })
            : Effect.fail(toProviderError(refused, false)),
        )
      })
      return Effect.sync(() => {
        clearTimeout(stallTimer)
        if (!stream.readableEnded) abortedDeliveries.add(deliveryId)
        controller.abort()
      })
    })

  const send: Provider["send"] = (message) =>
    Effect.flatMap(Mail.make(message, from, attachments), (mail) =>
      Effect.flatMap(write(mail), (letter) => exchange(message.deliveryId, mail.messageId, letter)),
    )

  return {
    name,
    channels: ["email"],
    reports: false,
    // What nodemailer would keep waiting is not begun.
    maxConcurrent: connections,
    ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
    wasAbortedBeforeSend: (deliveryId) => abortedDeliveries.delete(deliveryId),
    send,
  } satisfies Provider
})

type PoolMessage = Parameters<SMTPPool["send"]>[0]

/** A mail as the pool takes it, which asks of its parts no more than this. */
const poolMessage = (
  messageId: string,
  envelope: MimeMessage.MimeMessage["envelope"],
  stream: Readable,
  signal: AbortSignal,
) =>
  // Its type is that of nodemailer's composer, which is not used.
  ({
    data: { signal },
    message: {
      getEnvelope: () => ({ from: envelope.from, to: [...envelope.to] }),
      messageId: () => messageId,
      getHeader: () => messageId,
      createReadStream: () => stream,
    },
  }) as unknown as PoolMessage

/** What nodemailer adds to an error. */
interface NodemailerError extends Error {
  readonly code?: string | undefined
  /** Node's own, where nodemailer has another word for it. */
  readonly originalCode?: string | undefined
  readonly command?: string | undefined
  readonly response?: string | undefined
  readonly responseCode?: number | undefined
}

const serverOptions = (url: URL) => {
  const tls = url.searchParams.get("tls")
  const hasLogin = url.username !== ""
  const requireTLS = tls === "require" || (hasLogin && tls !== "optional" && !isLoopback(url.hostname))
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (url.protocol === "smtps:" ? 465 : 587) : Number(url.port),
    secure: url.protocol === "smtps:",
    ...(hasLogin ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } } : {}),
    ...(requireTLS ? { requireTLS } : {}),
  }
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host)

const authenticationCodes: ReadonlySet<number> = new Set([530, 534, 535, 538])
const preMailCommands: ReadonlySet<string> = new Set(["CONN", "EHLO", "HELO"])
/** No such mailbox or domain, a bad address, moved away, disabled. */
const invalidAddressPattern = /\b5\.(1\.[1236]|2\.1)\b/

/** The reply's code and its enhanced code decide; nodemailer's own code cannot tell 451 from 550. */
const toProviderError = (error: NodemailerError, complete: boolean): ProviderError => {
  const { code, command = "", originalCode = "", response, responseCode } = error
  const message = `the SMTP server said: ${response ?? error.message}`
  if (responseCode === undefined) {
    if (complete)
      return new UnknownOutcome({ message: "the SMTP server went away after the message and before its answer" })
    if (isCertificateError(originalCode)) {
      const cure = "name its authority there, and the server in SMTP_URL as its certificate does"
      return misconfigured("SMTP_CA", `the certificate of the mail server is not trusted (${error.message}); ${cure}`)
    }
    if (code === "EAUTH") return misconfigured("SMTP_URL", `the login failed: ${error.message}`)
    if (code === "EENVELOPE" || code === "EMESSAGE")
      return new PermanentError({ code: "refused", message: error.message })
    return new TransientError({ dependency: name, code: "unavailable", message: error.message })
  }
  if (authenticationCodes.has(responseCode) || command.startsWith("AUTH")) {
    return responseCode >= 500
      ? misconfigured("SMTP_URL", `the login is refused: ${response}`)
      : new TransientError({ dependency: name, code: "unavailable", message })
  }
  if (command === "STARTTLS" && responseCode >= 500) {
    const cure = "let it offer STARTTLS, or allow it with ?tls=optional where the network is your own"
    return misconfigured("SMTP_URL", `the mail server has no TLS, and nothing is sent without it; ${cure}: ${response}`)
  }
  if (responseCode >= 500 && preMailCommands.has(command)) {
    return misconfigured("SMTP_URL", `the mail server turns us away before any mail: ${response}`)
  }
  if (responseCode < 500) {
    const throttled = responseCode === 450 || responseCode === 451 || responseCode === 452
    return new TransientError({ dependency: name, code: throttled ? "throttled" : "unavailable", message })
  }
  if (invalidAddressPattern.test(response ?? "")) return new InvalidTarget({ reason: "unknown_address", message })
  if (command === "RCPT TO" && /\brelay/i.test(response ?? "")) {
    const cure = "log in there, or let it relay for this machine"
    return new SenderMismatch({
      reason: "refused",
      setting: "SMTP_URL",
      message: `the mail server does not pass mail on; ${cure}: ${response}`,
    })
  }
  if (command === "MAIL FROM") return misconfigured("MAIL_FROM", `the sender is refused: ${response}`)
  return new PermanentError({ code: "refused", message })
}

const unknownOutcome = new UnknownOutcome({ message: "the SMTP server has the message and does not answer" })
const stalled = new TransientError({
  dependency: name,
  code: "unavailable",
  message: "the SMTP server does not go on; the message was not sent",
})

const misconfigured = (setting: "SMTP_URL" | "SMTP_CA" | "MAIL_FROM", message: string) =>
  new ConfigurationError({ setting, message: `${setting}: ${message}` })
