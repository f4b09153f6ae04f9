/**
 * MJML as HTML for mail programs, at start: what remains for each message is Liquid. While MJML is compiled, words without a meaning
 * stand in place of every `{{ … }}` and `{% … %}`, so that quotes and comparisons in Liquid are no faults of the MJML, and no value
 * of a request ever becomes MJML.
 */
import { Result } from "effect"
import { Engine } from "mrml"

const liquidPattern = /\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}/g

/** The library leaves out what it does not know, without a word. */
const elements: ReadonlySet<string> = new Set(
  (
    "accordion accordion-element accordion-text accordion-title all attributes body breakpoint button carousel carousel-image class " +
    "column divider font group head hero image include navbar navbar-link preview raw section social social-element spacer style " +
    "table text title wrapper"
  )
    .split(" ")
    .map((name) => `mj-${name}`),
)

interface Source {
  /** The MJML with a word in place of each piece of Liquid. */
  readonly text: string
  /** The pieces by their words. */
  readonly liquid: ReadonlyMap<string, string>
}

const protect = (source: string, prefix: string): Source => {
  const liquid = new Map<string, string>()
  const text = source.replaceAll(liquidPattern, (piece) => {
    const word = `${prefix}${liquid.size}x`
    liquid.set(word, piece)
    return word
  })
  return { text, liquid }
}

/**
 * The HTML of the file `name`, with its Liquid. `files` are all MJML files by their names, for `mj-include`. A failure is a clause
 * that follows the file's name.
 */
export const compile = (name: string, files: ReadonlyMap<string, string>): Result.Result<string, string> => {
  const sources = new Map(
    [...files].map(([file, source], index) => [file, protect(source, `liquid${index}x`)] as const),
  )
  const source = sources.get(name)
  if (source === undefined) return Result.fail("does not exist")
  const unknown = [...source.text.matchAll(/<(mj-[a-z-]+)/g)].find(([, element = ""]) => !elements.has(element))?.[1]
  if (unknown !== undefined) return Result.fail(`has the unknown element ${unknown}`)
  const engine = new Engine()
  engine.setParserOptions({
    includeLoader: {
      type: "memory",
      content: Object.fromEntries([...sources].map(([file, { text }]) => [file, text])),
    },
  })
  // No mail loads a font from a third party, unless its `mj-font` names one.
  engine.setRenderOptions({ disableComments: false, socialIconOrigin: null, fonts: {} })
  const result = engine.toHtml(source.text)
  engine.free()
  if (result.type === "error") return Result.fail(`is not MJML: ${result.message}`)
  const lost = [...source.liquid].find(([word]) => !result.content.includes(word))?.[1]
  if (lost !== undefined)
    return Result.fail(
      `has ${lost} where MJML shows nothing; move it into mj-text, or into an attribute that MJML knows`,
    )
  const liquid = new Map([...sources.values()].flatMap((one) => [...one.liquid]))
  return Result.succeed(result.content.replaceAll(/liquid\d+x\d+x/g, (word) => liquid.get(word) ?? word))
}
