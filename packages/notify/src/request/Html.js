/** Building HTML from text: every interpolated value is escaped, unless it is `Html` already. */
/** A piece of HTML. Create it only with {@link html}, which escapes its values. */
export class Html {
    text;
    constructor(text) {
        this.text = text;
    }
}
export const escape = (text) => text.replace(/[&<>"']/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[character] ?? character);
/**
 * @example
 * ```ts
 * html`<p>Dear ${context.name},</p>`
 * ```
 */
export const html = (parts, ...pieces) => new Html(parts.map((part, index) => part + (index < pieces.length ? interpolate(pieces[index] ?? "") : "")).join(""));
const interpolate = (piece) => {
    if (piece instanceof Html)
        return piece.text;
    return typeof piece === "object" ? piece.map(({ text }) => text).join("") : escape(String(piece));
};
/** Plain text as a complete HTML page: an empty line starts a new paragraph, and line breaks are preserved. */
export const fromText = (title, text) => {
    const paragraphs = text
        .trim()
        .split(/\r?\n\s*\r?\n/)
        .map((paragraph) => `<p>${escape(paragraph).replace(/\r?\n/g, "<br>")}</p>`);
    return page(title, paragraphs.join("\n"));
};
export const page = (title, body, language = "en") => `<!doctype html>
<html lang="${escape(language)}"><head><meta charset="utf-8"><title>${escape(title)}</title></head>
<body style="font-family:system-ui,sans-serif;line-height:1.5;max-width:40rem;margin:1rem auto;padding:0 1rem">
${body}
</body></html>
`;
