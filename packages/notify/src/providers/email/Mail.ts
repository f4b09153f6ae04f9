/** An e-mail, independent of the provider: every provider sends the same headers and ids. */
import { ConfigurationError, PermanentError, type TransientError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import { type Attachments, type LoadedAttachment } from "../../request/Attachments.ts"
import type { Message } from "../../provider/Provider.ts"

/** `name@example.com` or `Name <name@example.com>`. */
export interface Sender {
  readonly name: string
  readonly address: string
}

export interface Mail {
  readonly from: Sender
  readonly to: string
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
    : Effect.succeed({ name: (match?.[1] ?? "").replace(/^"|"$/g, ""), address })
}

export const make = (
  message: Message,
  from: Sender,
  attachments: Attachments["Service"],
): Effect.Effect<Mail, PermanentError | TransientError | ConfigurationError> => {
  const { deliveryId, html, target, text, title, unsubscribeUrl } = message
  if (target.channel !== "email") {
    return Effect.fail(new PermanentError({ code: "wrong_recipient", message: "the target is not an e-mail address" }))
  }
  const mail: Mail = {
    from,
    to: target.address,
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

/** The options of nodemailer, which builds the MIME message and removes line breaks from headers. */
export const toNodemailer = ({ attachments, from, headers, html, messageId, subject, text, to }: Mail) => ({
  from,
  to: { name: "", address: to },
  subject,
  text,
  ...(html === undefined ? {} : { html }),
  messageId,
  headers: { ...headers },
  attachments: attachments.map(({ content, contentType, filename }) => ({
    filename,
    contentType,
    content: Buffer.from(content),
  })),
  disableFileAccess: true,
  disableUrlAccess: true,
})
