/**
 * A template in Liquid. What a value may become depends on the output: in HTML every value is escaped (the filter `raw`
 * says that it is HTML already), in texts none is. A field that is missing in the context, or that is no text, number or
 * boolean, is a fault that names the field. Partials and layouts come from memory; a template reads no file.
 */
import { PermanentError } from "@armoricore/domain/Errors"
import type { Attachment } from "@armoricore/domain/NotificationState"
import { Effect, Result } from "effect"
import { Liquid, LiquidError, type Template as Parsed } from "liquidjs"
import { hash } from "node:crypto"
import { escape } from "../Html.ts"
import { preferencesUrlMarker } from "../Templates.ts"
import * as LocaleFilters from "./LocaleFilters.ts"

/** Partials and layouts by their names, without `.liquid`. */
export type Partials = Readonly<Record<string, string>>

export interface Engines {
  readonly html: Liquid
  readonly text: Liquid
}

/** Limits of one rendering: templates are files of the operator, but a loop may run over the context of a request. */
const maxRenderMillis = 2_000
const maxMemory = 50_000_000

export const makeEngines = (partials: Partials): Engines => ({
  html: makeEngine(partials, (value) => escape(printed(value))),
  text: makeEngine(partials, printed),
})

const makeEngine = (partials: Partials, outputEscape: (value: unknown) => string): Liquid => {
  const liquid = new Liquid({
    templates: Object.fromEntries(Object.entries(partials).map(([name, text]) => [`${name}.liquid`, text])),
    extname: ".liquid",
    relativeReference: false,
    strictFilters: true,
    strictVariables: true,
    // `{% if field %}` may ask for a field that is missing.
    lenientIf: true,
    // Inherited properties are not fields of the context.
    ownPropertyOnly: true,
    renderLimit: maxRenderMillis,
    memoryLimit: maxMemory,
    outputEscape,
  })
  LocaleFilters.register(liquid)
  liquid.registerFilter("inline_image", function (value: unknown) {
    const path = String(value)
    if (!/^s3:\/\/[^/\s]+\/\S+$/.test(path))
      throw new LocaleFilters.FilterFault(`the filter inline_image needs s3://bucket/key, not ${JSON.stringify(value)}`)
    const images = imagesOf(this.context.globals)
    if (images === undefined) throw new LocaleFilters.FilterFault("the filter inline_image works only in html")
    const contentId = `${hash("sha256", path).slice(0, 24)}@inline`
    images.set(contentId, path)
    return `cid:${contentId}`
  })
  return liquid
}

class NotPrintable extends Error {}

const printed = (value: unknown): string => {
  if (typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return String(value)
  throw new NotPrintable()
}

const imagesVariable = "images"
const imagesOf = (globals: object): Map<string, string> | undefined => {
  const images: unknown = imagesVariable in globals ? globals[imagesVariable] : undefined
  return images instanceof Map ? images : undefined
}

export interface Text {
  readonly liquid: Liquid
  readonly parsed: ReadonlyArray<Parsed>
}

/** A failure is a clause that completes the sentence `NAME.json has …`. */
export const parse = (liquid: Liquid, text: string, partials: Partials): Result.Result<Text, string> => {
  const words = /\{\{-?\s*([A-Za-z_][\w.]*\s+[\w"'][^|}]*?)\s*-?\}\}/.exec(text)?.[1]
  // Liquid would ignore the second word.
  if (words !== undefined) return Result.fail(`the field ${JSON.stringify(words)}, which is not one word`)
  const unknown = referencesOf(text).find((name) => !Object.hasOwn(partials, name))
  if (unknown !== undefined) {
    const known = Object.keys(partials).join(", ")
    return Result.fail(
      `the unknown partial ${JSON.stringify(unknown)}; the partials are: ${known === "" ? "none" : known}`,
    )
  }
  return Result.mapError(
    Result.try(() => ({ liquid, parsed: liquid.parse(text) })),
    (error) => `a fault: ${error instanceof Error ? firstLine(error.message) : String(error)}`,
  )
}

/** The names of partials and layouts that are written as text. */
const referencesOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\{%-?\s*(?:render|include|layout)\s+(?:"([^"]+)"|'([^']+)')/g)].map(
    ([, double, single]) => double ?? single ?? "",
  )

export interface RenderOptions {
  readonly template: string
  readonly context: unknown
  /** The language of numbers, dates and plurals. */
  readonly locale: string
  /** Receives the images of `inline_image` by content id; absent: not in this output. */
  readonly images?: Map<string, string>
}

/** `PermanentError` code `template_context`. */
export const render = (
  { liquid, parsed }: Text,
  { context, images, locale, template }: RenderOptions,
): Effect.Effect<string, PermanentError> =>
  Effect.try({
    try: (): string => {
      const scope = typeof context === "object" && context !== null ? context : {}
      const globals = {
        [LocaleFilters.localeVariable]: locale,
        preferences_url: preferencesUrlMarker,
        ...(images === undefined ? {} : { [imagesVariable]: images }),
      }
      return String(liquid.renderSync([...parsed], scope, { globals }))
    },
    catch: (error) =>
      new PermanentError({
        code: "template_context",
        message: `the template ${template} cannot be filled: ${faultOf(error)}`,
      }),
  })

const faultOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const original = LiquidError.is(error) ? error.originalError : undefined
  if (LiquidError.is(error) && error.name === "UndefinedVariableError")
    return `context.${error.token.getText()} is missing`
  if (original instanceof LocaleFilters.FilterFault) return original.message
  if (original instanceof NotPrintable && LiquidError.is(error)) {
    const [, path = "a value"] = /\{\{-?\s*([^|}\s]+)/.exec(error.token.getText()) ?? []
    return `context.${path} must be text, a number, true or false`
  }
  return firstLine(error.message)
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? ""

export const attachmentsOf = (images: ReadonlyMap<string, string>): ReadonlyArray<Attachment> =>
  [...images].map(([content_id, file_path]) => ({ file_path, content_id }))
