/** An e-mail, independent of the provider: every provider sends the same headers and ids. */
import { ConfigurationError, PermanentError, type TransientError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import { domainToASCII } from "node:url"
import { type Attachments, type LoadedAttachment } from "../../request/Attachments.ts"
import type { Message } from "../../provider/Provider.ts"
import { escape } from "../../request/Html.ts"
import * as HeaderText from "./HeaderText.ts"

/** `name@example.com` or `Name <name@example.com>`. */
export interface Sender {
  readonly name: string
  readonly address: string
}

export interface Mail {
  readonly from: Sender
  readonly to: string
  readonly cc: ReadonlyArray<string>
  readonly bcc: ReadonlyArray<string>
  readonly replyTo: ReadonlyArray<string>
  readonly subject: string
  readonly text: string
  readonly html: string | undefined
  /** The same for every attempt, so that mailboxes show the mail once. */
  readonly messageId: string
  readonly headers: Readonly<Record<string, string>>
  readonly attachments: ReadonlyArray<LoadedAttachment>
}

/** Parses `MAIL_FROM`. */
export const parseSender = (text: string): Effect.Effect<Sender, ConfigurationError> => {
  const match = /^(?:([^<>\p{Cc}]*?)\s*<([^\s<>@]+@[^\s<>@]+)>|([^\s<>@]+@[^\s<>@]+))$/u.exec(text.trim())
  const address = match?.[2] ?? match?.[3]
  return address === undefined
    ? Effect.fail(
        new ConfigurationError({
          setting: "MAIL_FROM",
          message: "MAIL_FROM is not a sender; it must have the form name@example.com or Name <name@example.com>",
        }),
      )
    : Effect.succeed({ name: (match?.[1] ?? "").replace(/^"|"$/g, ""), address: asciiDomain(address) })
}

export const make = (
  message: Message,
  from: Sender,
  attachments: Attachments["Service"],
): Effect.Effect<Mail, PermanentError | TransientError | ConfigurationError> => {
  const { deliveryId, email, preferencesUrl, target, title, unsubscribeUrl } = message
  const { html, text } = preferencesUrl === undefined ? message : withPreferencesLink(message, preferencesUrl)
  if (target.channel !== "email") {
    return Effect.fail(new PermanentError({ code: "wrong_recipient", message: "the target is not an e-mail address" }))
  }
  const mail: Mail = {
    from: email?.fromName === undefined ? from : { ...from, name: email.fromName },
    to: asciiDomain(target.address),
    cc: (email?.cc ?? []).map(asciiDomain),
    bcc: (email?.bcc ?? []).map(asciiDomain),
    replyTo: (email?.replyTo ?? []).map(asciiDomain),
    subject: title,
    text,
    html,
    messageId: `<${deliveryId}@${from.address.slice(from.address.lastIndexOf("@") + 1)}>`,
    headers:
      unsubscribeUrl === undefined
        ? {}
        : { "List-Unsubscribe": `<${unsubscribeUrl}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" },
    attachments: [],
  }
  return message.attachments.length === 0
    ? Effect.succeed(mail)
    : Effect.map(attachments.load(message.attachments), (loaded) => ({ ...mail, attachments: loaded }))
}

/** Adds the link below the content, unless a template has placed it (`preferences_url`). */
const withPreferencesLink = ({ html, text }: Pick<Message, "html" | "text">, url: string) => {
  const link = `<p style="font-size:small;color:#666"><a href="${escape(url)}">Choose which messages you receive</a></p>`
  return {
    text: text.includes(url) ? text : `${text}\n\n--\nChoose which messages you receive: ${url}`,
    html:
      html === undefined || html.includes(escape(url))
        ? html
        : /<\/body>/i.test(html)
          ? html.replace(/<\/body>(?![\s\S]*<\/body>)/i, () => `${link}\n</body>`)
          : `${html}\n${link}`,
  }
}

/** A domain with other letters has an ASCII form (RFC 5891), which every server accepts. */
const asciiDomain = (address: string): string => {
  const at = address.lastIndexOf("@")
  const domain = domainToASCII(address.slice(at + 1))
  return domain === "" ? address : `${address.slice(0, at)}@${domain}`
}

/** Whether a server needs SMTPUTF8 (RFC 6531) for the addresses: a local part has no ASCII form. */
export const needsSmtpUtf8 = ({ bcc, cc, from, replyTo, to }: Mail): boolean =>
  [from.address, to, ...cc, ...bcc, ...replyTo].some((address) => /[^\x20-\x7e]/.test(address))

/** The options of nodemailer, which builds the MIME message and removes line breaks from headers. */
export const toNodemailer = (mail: Mail) => {
  const { attachments, bcc, cc, headers, html, messageId, replyTo, subject, text, to } = mail
  return {
    from: { name: HeaderText.breakLookAlikes(mail.from.name), address: mail.from.address },
    to: plain(to),
    ...(cc.length === 0 ? {} : { cc: cc.map(plain) }),
    ...(bcc.length === 0 ? {} : { bcc: bcc.map(plain) }),
    ...(replyTo.length === 0 ? {} : { replyTo: replyTo.map(plain) }),
    subject: HeaderText.protect(subject),
    text,
    ...(html === undefined ? {} : { html }),
    messageId,
    headers: { ...headers },
    attachments: attachments.map(({ content, contentId, contentType, filename }) => ({
      filename,
      contentType,
      content: Buffer.from(content),
      ...(contentId === undefined ? {} : { cid: contentId, contentDisposition: "inline" as const }),
    })),
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

const plain = (address: string) => ({ name: "", address })
