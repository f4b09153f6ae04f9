/**
 * Serializes a mail without attachments synchronously. nodemailer pipes every mail through a dozen streams because an
 * attachment may be a stream; without attachments they cost more than the mail. The bytes are the same.
 */
import * as Base64 from "nodemailer/lib/base64";
import * as Qp from "nodemailer/lib/qp";
/** nodemailer encodes longer texts in chunks; few mails have them. */
export const maxTextLength = 20_000;
/** Undefined if a part is not text or is too long. */
export const serialize = (root) => {
    const parts = [];
    if (!write(root, parts))
        return undefined;
    const text = parts.join("");
    return Buffer.from(text.endsWith("\n") ? text : text.endsWith("\r") ? `${text}\n` : `${text}\r\n`);
};
const write = (node, parts) => {
    const { childNodes, content = "" } = node;
    if (typeof content !== "string" || content.length > maxTextLength)
        return false;
    parts.push(node.buildHeaders(), "\r\n\r\n");
    // Set by `buildHeaders`.
    const { boundary, multipart } = node;
    if (content !== "")
        parts.push(encodeText(content, node.getTransferEncoding()));
    if (!multipart)
        return true;
    for (const [at, child] of childNodes.entries()) {
        parts.push(`${at === 0 ? "" : "\r\n"}--${boundary}\r\n`);
        if (!write(child, parts))
            return false;
    }
    parts.push(`\r\n--${boundary}--\r\n`);
    return true;
};
/** Other encodings leave the text unchanged. */
export const encodeText = (text, encoding) => {
    if (encoding === "quoted-printable")
        return Qp.wrap(Qp.encode(text));
    return encoding === "base64" ? Base64.wrap(Base64.encode(text)) : text;
};
