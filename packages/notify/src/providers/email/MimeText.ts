/**
 * A mail of texts alone, written in one go. nodemailer builds every mail through a dozen streams, as an attachment may be
 * one; most mails have none, and then the streams cost more than the mail. What comes out is the same, byte for byte.
 */
import * as Base64 from "nodemailer/lib/base64"
import type MimeNode from "nodemailer/lib/mime-node"
import * as Qp from "nodemailer/lib/qp"

/** Longer texts nodemailer encodes piece by piece, and few mails have them. */
export const maxTextLength = 20_000

/** Undefined where a part is no text, or a long one. */
export const serialize = (root: MimeNode): Buffer | undefined => {
  const parts: Array<string> = []
  if (!write(root, parts)) return undefined
  const text = parts.join("")
  return Buffer.from(text.endsWith("\n") ? text : text.endsWith("\r") ? `${text}\n` : `${text}\r\n`)
}

const write = (node: MimeNode, parts: Array<string>): boolean => {
  const { childNodes, content = "" } = node
  if (typeof content !== "string" || content.length > maxTextLength) return false
  parts.push(node.buildHeaders(), "\r\n\r\n")
  // Known once the headers are made.
  const { boundary, multipart } = node
  if (content !== "") parts.push(encodeText(content, node.getTransferEncoding()))
  if (!multipart) return true
  for (const [at, child] of childNodes.entries()) {
    parts.push(`${at === 0 ? "" : "\r\n"}--${boundary}\r\n`)
    if (!write(child, parts)) return false
  }
  parts.push(`\r\n--${boundary}--\r\n`)
  return true
}

/** Any other encoding leaves a text as it is. */
export const encodeText = (text: string, encoding: string | false): string => {
  if (encoding === "quoted-printable") return Qp.wrap(Qp.encode(text))
  return encoding === "base64" ? Base64.wrap(Base64.encode(text)) : text
}
