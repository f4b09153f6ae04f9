/** Describes schema errors to the person who sent the value: the path of the field, its value, and the rule that it breaks. */
import { Schema, SchemaIssue } from "effect"

export interface SchemaErrorOptions {
  /** The value that was decoded; with it, the message quotes the field at fault. */
  readonly input?: unknown
  /** How the message names the whole value, for example "the event". */
  readonly whole?: string
  /** The path of `input` in the message that the sender knows, for example "payload". */
  readonly parent?: string
}

export interface SchemaErrorDescription {
  /** Dotted; empty for the whole value. */
  readonly path: string
  /** One sentence: `payload.user_id is missing`, `payload.media_id must be a string, not 1.5`. */
  readonly message: string
}

type Path = ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>

const keyOf = (part: Path[number]): PropertyKey => (typeof part === "object" ? part.key : part)

const formatPath = (path: Path): string => path.map((part) => String(keyOf(part))).join(".")

/** The issue of a check that a field which is optional in itself must be there. */
export const missingField = "missing"
const missing = missingField

/** An item where PHP's empty array may stand for an empty object: an object is wanted. */
const isExcessItem = ({ message, path }: Issue): boolean =>
  message === "Expected no excess property" && typeof keyOf(path.at(-1) ?? "") === "number"

interface Issue {
  readonly message: string
  readonly path: Path
}

const formatter = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => (issue._tag === "MissingKey" ? missing : SchemaIssue.defaultLeafHook(issue)),
})

/**
 * Where a union reports an error for each of its members, the errors of the member that matches deepest count: their rules
 * are joined with "or". If no member matches at its first key, the message lists these keys.
 */
export const describeSchemaError = (
  error: Schema.SchemaError,
  { input, parent = "", whole = parent === "" ? "the value" : parent }: SchemaErrorOptions = {},
): SchemaErrorDescription => {
  const pathText = (path: Path): string => [parent, formatPath(path)].filter((part) => part !== "").join(".")
  const nameOf = (path: Path): string => (path.length === 0 ? whole : pathText(path))
  const issues = formatter(error.issue).issues.map(({ message, path = [] }): Issue => {
    const issue = { message, path }
    return isExcessItem(issue) ? { message: "Expected object", path: path.slice(0, -1) } : issue
  })
  const depth = Math.max(0, ...issues.map(({ path }) => path.length))
  const deepest = issues.filter(({ path }) => path.length === depth)
  const reported = deepest.find(({ message }) => message !== missing) ?? deepest[0]
  if (reported === undefined) return { path: "", message: error.message }
  const { path } = reported
  const name = nameOf(path)
  if (reported.message === missing) {
    const keys = new Set(deepest.map((issue) => formatPath(issue.path.slice(-1))))
    if (keys.size === 1) return { path: pathText(path), message: `${name} is missing` }
    const owner = path.slice(0, -1)
    return { path: pathText(owner), message: `${nameOf(owner)} must have one of the keys ${[...keys].join(", ")}` }
  }
  const messages = new Set(
    deepest
      .filter((issue) => issue.message !== missing && formatPath(issue.path) === formatPath(path))
      .map(({ message }) => message),
  )
  return { path: pathText(path), message: sentence(name, [...messages], quote(path, input)) }
}

/** effect words the rules of its own checks as "Expected a value greater than 0"; other messages are sentences. */
const expected = /^Expected /

const sentence = (name: string, messages: ReadonlyArray<string>, value: string | undefined): string => {
  const rules = messages
    .filter((message) => expected.test(message))
    .map((message) => withArticle(message.replace(expected, "")))
  const [first = ""] = messages
  return rules.length === 0
    ? `${value === undefined ? name : `${name} is ${value}`}: ${first}`
    : `${name} must be ${[...new Set(rules)].join(" or ")}${value === undefined ? "" : `, not ${value}`}`
}

const articles: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  object: "an object",
  array: "an array",
  integer: "an integer",
}

/** effect joins the alternatives of a union with `|`. */
const withArticle = (rule: string): string =>
  rule
    .split(" | ")
    .map((alternative) => articles[alternative] ?? (schemaName.test(alternative) ? "an object" : alternative))
    .join(" or ")

/** The identifiers of schemas name our structures, which people who send values do not know. */
const schemaName = /^(?:[A-Z][a-z0-9]+){2,}$/

const maxQuotedLength = 80

/** Messages reach logs, and the values of these fields must not. */
const isSecret = /token|secret|password|p256dh|auth|key$/i

/** The value of a field as JSON, shortened. `undefined`: the field has no value or is secret. */
const quote = (path: Path, input: unknown): string | undefined => {
  let value = input
  for (const part of path) {
    if (isSecret.test(String(keyOf(part))) || typeof value !== "object" || value === null) return undefined
    value = Reflect.get(value, keyOf(part))
  }
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object"
  const text = JSON.stringify(value)
  return text === undefined || text.length <= maxQuotedLength ? text : `${text.slice(0, maxQuotedLength)}…`
}
