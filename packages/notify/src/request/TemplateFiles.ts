/**
 * Templates in files: `NAME.json` in a folder holds the texts of a notification. `{{field}}` inserts a field of the
 * context and `{{user.name}}` a nested one; in `html` the value is escaped. The context must contain every field that
 * the template uses, as a string, a number or a boolean.
 *
 * @example
 * ```json
 * { "title": "Welcome, {{name}}", "text": "Good to have you, {{name}}.", "html": "<p>Good to have you, <b>{{name}}</b>.</p>" }
 * ```
 */
import { ConfigurationError, PermanentError } from "@armoricore/domain/Errors"
import { Effect, FileSystem, Path, Schema } from "effect"
import { escape, page } from "./Html.ts"
import type { Template } from "./Templates.ts"

const File = Schema.fromJsonString(
  Schema.Struct({ title: Schema.String, text: Schema.String, html: Schema.optionalKey(Schema.String) }),
)
const decode = Schema.decodeUnknownEffect(File)

/** Loads every template of a folder. An invalid file fails the start with an error that names the file. */
export const load = Effect.fnUntraced(function* (
  folder: string,
): Effect.fn.Return<ReadonlyArray<Template>, ConfigurationError, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const invalidTemplates = (problem: string) =>
    new ConfigurationError({ setting: "NOTIFY_TEMPLATES", message: `NOTIFY_TEMPLATES: ${problem}` })
  const names = yield* Effect.mapError(fs.readDirectory(folder), () =>
    invalidTemplates(`${folder} cannot be read; set it to a folder of templates`),
  )
  return yield* Effect.forEach(
    names.filter((name) => name.endsWith(".json")).toSorted(),
    Effect.fnUntraced(function* (name) {
      const content = yield* Effect.mapError(fs.readFileString(join(folder, name)), () =>
        invalidTemplates(`${name} cannot be read; allow this user to read it`),
      )
      return yield* Effect.mapError(make(name.slice(0, -".json".length), content), (why) =>
        invalidTemplates(`${name} ${why}`),
      )
    }),
  )
})

/** The error is a clause that follows the file's name in a sentence. */
export const make = (name: string, content: string): Effect.Effect<Template, string> =>
  Effect.gen(function* () {
    const { html, text, title } = yield* Effect.mapError(
      decode(content),
      () => "is not a template; write a JSON object with the strings title, text and, optionally, html",
    )
    const renderers = {
      title: yield* compileText("title", title),
      text: yield* compileText("text", text),
      html: html === undefined ? undefined : yield* compileText("html", html),
    }
    return {
      name,
      render: (context) =>
        Effect.gen(function* () {
          const valueOf = (path: string) => fieldValue(name, context, path)
          const title = yield* renderers.title(valueOf, (value) => value)
          const text = yield* renderers.text(valueOf, (value) => value)
          const html = renderers.html === undefined ? undefined : yield* renderers.html(valueOf, escape)
          return { title, text, ...(html === undefined ? {} : { html: page(title, html) }) }
        }),
    }
  })

type Renderer = (
  valueOf: (path: string) => Effect.Effect<string, PermanentError>,
  shown: (value: string) => string,
) => Effect.Effect<string, PermanentError>

const fieldPattern = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*\}\}/

/** Splits the text into literal parts and fields. */
const compileText = (which: string, text: string): Effect.Effect<Renderer, string> => {
  // A split by an expression with one group returns literal text and field names alternately.
  const parts = text.split(fieldPattern)
  const broken = parts.find((part, index) => index % 2 === 0 && /\{\{|\}\}/.test(part))
  if (broken !== undefined)
    return Effect.fail(`has a {{ or }} in its ${which} that encloses no field; write fields like {{name}}`)
  return Effect.succeed((valueOf, shown) =>
    Effect.map(
      Effect.forEach(parts, (part, index) =>
        index % 2 === 0 ? Effect.succeed(part) : Effect.map(valueOf(part), shown),
      ),
      (made) => made.join(""),
    ),
  )
}

const fieldValue = (template: string, context: unknown, path: string): Effect.Effect<string, PermanentError> => {
  let value = context
  for (const name of path.split(".")) {
    value =
      typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
  }
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)
    ? Effect.succeed(String(value))
    : Effect.fail(
        new PermanentError({
          code: "template_context",
          message: `the template ${template} cannot be filled: context.${path} ${value === undefined ? "is missing" : "must be text, a number, true or false"}`,
        }),
      )
}
