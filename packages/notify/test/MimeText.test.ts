import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import MailComposer from "nodemailer/lib/mail-composer"
import { fromText } from "../src/Html.ts"
import * as MimeText from "../src/routes/MimeText.ts"

const texts = {
  plain: "Hello,\n\nthis is a mail.\n",
  "without an end of line": "Hello",
  empty: "",
  "one blank": " ",
  "dots and blanks at line ends": ".\n..\nline \t\nend ",
  "bare CR": "a\rb\r",
  "a few other letters": "Grüße aus Köln = schön\r\n",
  "other letters alone": "Привет, мир. Как дела? ".repeat(40),
  "a long line": "word ".repeat(500),
  "a long line without blanks": "x".repeat(3_000),
  "emoji at every place of a line": Array.from({ length: 90 }, (_, at) => `${"y".repeat(at)}😀`).join("\n"),
  "control characters and half a pair": "a\u0000b\u007f\ud800c",
  "as long as it may be": "ä".repeat(18_000),
}

const mail = (text: string, more: object = {}) => ({
  from: { name: "Shöp", address: "shop@example.com" },
  to: { name: "", address: "anna@example.org" },
  subject: "Grüße",
  text,
  messageId: "<1@example.com>",
  date: new Date(0),
  baseBoundary: "fixed",
  ...more,
})

/** What nodemailer makes of it, and what we do. */
const both = Effect.fnUntraced(function* (options: ReturnType<typeof mail>) {
  const theirs = yield* Effect.promise(() => new MailComposer(options).compile().build())
  return { theirs: theirs.toString("latin1"), ours: MimeText.bytesOf(new MailComposer(options).compile()) }
})

describe("a mail of texts", () => {
  for (const [name, text] of Object.entries(texts)) {
    it.effect(`is what nodemailer would make of it: ${name}`, () =>
      Effect.gen(function* () {
        for (const options of [mail(text), mail(text, { html: fromText("Grüße", text) })]) {
          const { ours, theirs } = yield* both(options)
          assert.strictEqual(ours?.toString("latin1"), theirs)
        }
      }),
    )
  }

  it.effect("is left to nodemailer where something is attached, or where it is long", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* both(mail("Zeile\n".repeat(4_000)))).ours)
      const { ours } = yield* both(mail("Hello", { attachments: [{ filename: "a", content: Buffer.from("b") }] }))
      assert.isUndefined(ours)
    }),
  )
})
