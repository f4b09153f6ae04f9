/**
 * Templates in files of one folder, in [Liquid](https://shopify.github.io/liquid/). The language of a file is part of its name.
 *
 * | file | content |
 * |---|---|
 * | `NAME.json`, `NAME.LOCALE.json` | the texts of a notification; see {@link TemplateFile} |
 * | `NAME.html.liquid`, `NAME.text.liquid`, also with `.LOCALE` after NAME | `html` and `text` of that template, where the JSON has none |
 * | `NAME.mjml`, also with `.LOCALE` after NAME | `html` of that template in MJML, where it has none; see {@link Mjml} |
 * | `PART.mjml` | for `<mj-include path="PART.mjml" />` |
 * | `PART.liquid`, `PART.LOCALE.liquid` | a partial or a layout, for `{% render "PART" %}` and `{% layout "PART" %}` |
 *
 * A request for `pt-BR` gets the first of `pt-BR`, `pt` and the file without a language. A language without a file of its
 * own still writes numbers and dates as its regions do.
 *
 * @example
 * ```json
 * { "title": "Welcome, {{ name }}", "text": "{{ count | plural: one: '# message', other: '# messages' }}" }
 * ```
 */
import { ConfigurationError, PermanentError } from "@armoricore/domain/Errors"
import { Effect, FileSystem, Path, Result, Schema } from "effect"
import { page } from "./Html.ts"
import type { Rendered, Template } from "./Templates.ts"
import type * as LiquidTemplate from "./templates/LiquidTemplate.ts"

const Addresses = Schema.Union([Schema.String, Schema.Array(Schema.String)])

/** Each text is Liquid. The fields `email` of a request replace those of its template. */
const TemplateFile = Schema.Struct({
  title: Schema.String,
  text: Schema.optionalKey(Schema.String),
  html: Schema.optionalKey(Schema.String),
  preheader: Schema.optionalKey(Schema.String),
  from_name: Schema.optionalKey(Schema.String),
  reply_to: Schema.optionalKey(Addresses),
  cc: Schema.optionalKey(Addresses),
  bcc: Schema.optionalKey(Addresses),
  /** The language of a file without one in its name. Default `en`. */
  locale: Schema.optionalKey(Schema.String),
})
type TemplateFile = typeof TemplateFile.Type
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(TemplateFile))

const defaultLocale = "en"
const localePattern = /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$/

/** Loads every template of a folder. An invalid file fails the start with an error that names the file. */
export const load = Effect.fnUntraced(function* (
  folder: string,
): Effect.fn.Return<ReadonlyArray<Template>, ConfigurationError, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const invalid = (problem: string) =>
    new ConfigurationError({ setting: "NOTIFY_TEMPLATES", message: `NOTIFY_TEMPLATES: ${problem}` })
  const names = yield* Effect.mapError(fs.readDirectory(folder), () =>
    invalid(`${folder} cannot be read; set it to a folder of templates`),
  )
  const files = new Map<string, string>()
  for (const name of names.filter((file) => /\.(json|liquid|mjml)$/.test(file)).toSorted()) {
    const content = yield* Effect.mapError(fs.readFileString(join(folder, name)), () =>
      invalid(`${name} cannot be read; allow this user to read it`),
    )
    files.set(name, content)
  }
  return yield* Effect.mapError(make(files), invalid)
})

type AddressFields = { readonly [F in "reply_to" | "cc" | "bcc"]?: ReadonlyArray<string> }

interface Variant {
  readonly locale: string
  readonly texts: { readonly [F in "title" | "text" | "preheader" | "from_name"]?: LiquidTemplate.Text }
  readonly html: LiquidTemplate.Text | undefined
  readonly addresses: { readonly [F in keyof AddressFields]?: ReadonlyArray<LiquidTemplate.Text> }
}

/** The templates of these files, by their names. The error is a sentence that begins with the name of the file. */
export const make = Effect.fnUntraced(function* (
  files: ReadonlyMap<string, string>,
): Effect.fn.Return<ReadonlyArray<Template>, string> {
  // Most commands render nothing, so the library is loaded only here.
  const liquid = yield* Effect.promise(() => import("./templates/LiquidTemplate.ts"))
  const mjml = new Map([...files].filter(([file]) => file.endsWith(".mjml")))
  const { compile: compileMjml } =
    mjml.size === 0 ? { compile: undefined } : yield* Effect.promise(() => import("./templates/Mjml.ts"))
  const htmlOf = (file: string) =>
    compileMjml === undefined || !mjml.has(file)
      ? Effect.undefined
      : Effect.fromResult(Result.mapError(compileMjml(file, mjml), (fault) => `${file} ${fault}`))
  const templates = templatesOf([...files.keys()])
  const bodies = new Set([...templates.values()].flatMap((variants) => [...variants.values()].flatMap(bodyFilesOf)))
  const partialFiles = [...files.keys()].filter((file) => file.endsWith(".liquid") && !bodies.has(file))
  const partialsFor = (locale: string): LiquidTemplate.Partials => {
    const chosen: Record<string, string> = {}
    for (const file of partialFiles) {
      const { base } = splitLocale(file.slice(0, -".liquid".length))
      const best = fallbacksOf(locale)
        .map((one) => files.get(`${base}.${one}.liquid`))
        .find((content) => content !== undefined)
      const content = best ?? files.get(`${base}.liquid`) ?? files.get(file)
      if (content !== undefined) chosen[base] = content
    }
    return chosen
  }
  return yield* Effect.forEach(templates, ([name, variants]) =>
    Effect.map(
      Effect.forEach(variants, ([locale, file]) =>
        Effect.flatMap(readFile(file, files, htmlOf), (content) => {
          const language = locale === "" ? (content.locale ?? defaultLocale) : locale
          const partials = partialsFor(language)
          return Effect.map(compile(liquid, file, content, partials), (compiled) => ({
            ...compiled,
            locale: language,
            key: locale,
          }))
        }),
      ),
      (compiled) => toTemplate(liquid, name, new Map(compiled.map(({ key, ...variant }) => [key, variant] as const))),
    ),
  )
})

/** The files of each template by language; the empty one is the default. */
const templatesOf = (files: ReadonlyArray<string>): ReadonlyMap<string, ReadonlyMap<string, string>> => {
  const stems = files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -".json".length))
  const templates = new Map<string, Map<string, string>>()
  for (const stem of stems) {
    const { base, locale } = splitLocale(stem)
    // A name with a dot is a language of another template only if that template exists.
    const [name, key] = locale !== "" && stems.includes(base) ? [base, locale] : [stem, ""]
    const variants = templates.get(name) ?? new Map<string, string>()
    templates.set(name, variants.set(key, `${stem}.json`))
  }
  return templates
}

const splitLocale = (stem: string): { readonly base: string; readonly locale: string } => {
  const dot = stem.lastIndexOf(".")
  const locale = stem.slice(dot + 1)
  return dot > 0 && localePattern.test(locale) ? { base: stem.slice(0, dot), locale } : { base: stem, locale: "" }
}

const bodyFilesOf = (file: string): ReadonlyArray<string> => {
  const stem = file.slice(0, -".json".length)
  return [`${stem}.html.liquid`, `${stem}.text.liquid`]
}

/** The JSON of a template with the bodies from other files. */
const readFile = (
  file: string,
  files: ReadonlyMap<string, string>,
  mjmlOf: (file: string) => Effect.Effect<string | undefined, string>,
): Effect.Effect<TemplateFile & { readonly text: string }, string> =>
  Effect.flatMap(
    Effect.zip(
      Effect.mapError(
        decode(files.get(file) ?? ""),
        () => `${file} is not a template; write a JSON object with the strings title, text and, optionally, html`,
      ),
      mjmlOf(file.replace(/\.json$/, ".mjml")),
    ),
    ([content, mjml]) => {
      const [htmlFile = "", textFile = ""] = bodyFilesOf(file)
      const written = content.html ?? files.get(htmlFile)
      if (written !== undefined && mjml !== undefined)
        return Effect.fail(`${file} has its html twice, also as MJML; remove one of them`)
      const html = written ?? mjml
      const text = content.text ?? files.get(textFile)
      if (content.locale !== undefined && !localePattern.test(content.locale))
        return Effect.fail(`${file} has the locale ${JSON.stringify(content.locale)}; write one such as fr or pt-BR`)
      return text === undefined
        ? Effect.fail(`${file} is not a template; write the text of the notification into text, or into ${textFile}`)
        : Effect.succeed({ ...content, text, ...(html === undefined ? {} : { html }) })
    },
  )

const compile = Effect.fnUntraced(function* (
  { makeEngines, parse }: typeof LiquidTemplate,
  file: string,
  content: TemplateFile & { readonly text: string },
  partials: LiquidTemplate.Partials,
): Effect.fn.Return<Omit<Variant, "locale">, string> {
  const engines = makeEngines(partials)
  const parsed = (field: string, text: string, engine = engines.text) =>
    Effect.fromResult(Result.mapError(parse(engine, text, partials), (fault) => `${file} has in its ${field} ${fault}`))
  const { bcc, cc, from_name, html, preheader, reply_to, text, title } = content
  const optional = (
    field: "preheader" | "from_name",
    value: string | undefined,
  ): Effect.Effect<Variant["texts"], string> =>
    value === undefined ? Effect.succeed({}) : Effect.map(parsed(field, value), (one) => ({ [field]: one }))
  const addresses = (
    field: keyof AddressFields,
    value: typeof Addresses.Type | undefined,
  ): Effect.Effect<Variant["addresses"], string> =>
    value === undefined
      ? Effect.succeed({})
      : Effect.map(
          Effect.forEach([value].flat(), (one) => parsed(field, one)),
          (all) => ({ [field]: all }),
        )
  return {
    texts: {
      title: yield* parsed("title", title),
      text: yield* parsed("text", text),
      ...(yield* optional("preheader", preheader)),
      ...(yield* optional("from_name", from_name)),
    },
    html: html === undefined ? undefined : yield* parsed("html", html, engines.html),
    addresses: {
      ...(yield* addresses("reply_to", reply_to)),
      ...(yield* addresses("cc", cc)),
      ...(yield* addresses("bcc", bcc)),
    },
  }
})

const toTemplate = (
  { attachmentsOf, render }: typeof LiquidTemplate,
  name: string,
  variants: ReadonlyMap<string, Variant>,
): Template => ({
  name,
  render: Effect.fnUntraced(function* (context, requested): Effect.fn.Return<Rendered, PermanentError> {
    const variant = variantFor(variants, requested)
    if (variant === undefined)
      return yield* new PermanentError({ code: "unknown_template", message: `the template ${name} has no file` })
    const locale = formatLocale(variant.locale, requested)
    const images = new Map<string, string>()
    const options = { template: name, context, locale }
    const { from_name, preheader, text, title } = variant.texts
    const shown = (one: LiquidTemplate.Text | undefined) =>
      one === undefined ? Effect.succeed("") : render(one, options)
    const addresses = (field: keyof AddressFields): Effect.Effect<AddressFields, PermanentError> =>
      Effect.map(Effect.forEach(variant.addresses[field] ?? [], shown), (values) =>
        variant.addresses[field] === undefined ? {} : { [field]: values.flatMap(listOf) },
      )
    const email = {
      ...(from_name === undefined ? {} : { from_name: yield* shown(from_name) }),
      ...(preheader === undefined ? {} : { preheader: yield* shown(preheader) }),
      ...(yield* addresses("reply_to")),
      ...(yield* addresses("cc")),
      ...(yield* addresses("bcc")),
    }
    const renderedTitle = yield* shown(title)
    const body = variant.html === undefined ? undefined : yield* render(variant.html, { ...options, images })
    return {
      title: renderedTitle,
      text: yield* shown(text),
      ...(body === undefined
        ? {}
        : { html: isPage(body) ? inLanguage(body, locale) : page(renderedTitle, body, locale) }),
      ...(Object.keys(email).length === 0 ? {} : { email }),
      ...(images.size === 0 ? {} : { attachments: attachmentsOf(images) }),
    }
  }),
})

const isPage = (html: string): boolean => /<html[\s>]/i.test(html)

/** MJML without `lang` has `und`, an undetermined language. */
const inLanguage = (html: string, locale: string): string =>
  html.startsWith('<!doctype html><html lang="und"') ? html.replaceAll(' lang="und"', ` lang="${locale}"`) : html

/** An empty address is none, so that a template may leave a copy out. */
const listOf = (value: string): ReadonlyArray<string> =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")

/** `zh-Hant-TW`, `zh-Hant`, `zh`. */
const fallbacksOf = (locale: string): ReadonlyArray<string> => {
  const parts = locale.split("-")
  return parts.map((_, at) => parts.slice(0, parts.length - at).join("-"))
}

const variantFor = (variants: ReadonlyMap<string, Variant>, requested: string | undefined): Variant | undefined => {
  const wanted = requested === undefined ? [] : fallbacksOf(canonical(requested))
  return wanted.map((locale) => variants.get(locale)).find((one) => one !== undefined) ?? variants.get("")
}

/** The reader's region counts where the text is in the reader's language. */
const formatLocale = (own: string, requested: string | undefined): string => {
  const wanted = requested === undefined ? own : canonical(requested)
  return fallbacksOf(wanted).at(-1) === fallbacksOf(own).at(-1) ? wanted : own
}

/** `pt_br` and `PT-BR` are written `pt-BR`. The schema of the request has checked it. */
const canonical = (locale: string): string =>
  Result.getOrElse(
    Result.try(() => Intl.getCanonicalLocales(locale.replaceAll("_", "-"))[0] ?? locale),
    () => locale,
  )
