/** One line of the log as an object: flat, with the same names everywhere, so that `grep` and `jq` find what they look for. */
import * as Trace from "@armoricore/worker/Trace"
import { Cause, type Logger, Redacted, References } from "effect"

export type Line = Record<string, string | number | boolean | null>

/** Whatever a line has to say, these are the program's. */
const first = ["timestamp", "level", "message"]

/** A field that is longer is cut: a line is to be read. */
const longest = 8_000
const deepest = 4

export const lineOf = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): Line => {
  const span = fiber.cache.span
  const line: Line = { timestamp: date.toISOString(), level: logLevel.toLowerCase(), message: "" }
  const put = (name: string, value: unknown, depth = 0): void => {
    if (depth === 0 && first.includes(name)) return put(`${name}_`, value, 1)
    const plain = plainOf(value)
    if (plain !== undefined) line[name] = typeof plain === "string" ? plain.slice(0, longest) : plain
    else if (depth < deepest && typeof value === "object" && value !== null) {
      for (const [key, part] of Object.entries(value)) put(`${name}.${key}`, part, depth + 1)
    }
  }
  const fields = (of: object) => {
    for (const [name, value] of Object.entries(of)) put(name, value)
  }

  fields(fiber.getRef(References.CurrentLogAnnotations))
  fields(Trace.aboutOf(span))
  if (span !== undefined) {
    line["trace_id"] = span.traceId
    line["span_id"] = span.spanId
  }
  const words: Array<string> = []
  for (const part of Array.isArray(message) ? message : [message]) {
    const plain = plainOf(part)
    if (plain !== undefined) words.push(String(plain))
    else if (typeof part === "object" && part !== null) fields(part)
  }
  line["message"] = words.join(" ").slice(0, longest)
  if (cause.reasons.length > 0) put("cause", Cause.pretty(cause))
  return line
}

/** What is one value by itself; undefined for what has parts. */
const plainOf = (value: unknown): string | number | boolean | null | undefined => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value)
  if (Redacted.isRedacted(value)) return "<redacted>"
  if (value instanceof Error) return value.message === "" ? value.name : value.message
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return JSON.stringify(value)
  return typeof value === "object" ? undefined : String(value)
}
