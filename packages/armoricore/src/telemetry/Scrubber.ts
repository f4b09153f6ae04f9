/**
 * The last look at what leaves the process as log, metric or span: no secret of the settings, no token and no signature
 * is in it. Code does not put them there in the first place; but a library may quote the address that it could not reach.
 */
import { Context, Effect, Layer, Result } from "effect"
import { TextsAtStart } from "../Settings.ts"
import { type Name, table } from "../settings/Table.ts"
import { make, type Scrub, secretQuery } from "./Scrub.ts"

export class Scrubber extends Context.Service<Scrubber, { readonly scrub: Scrub }>()(
  "@armoricore/armoricore/Scrubber",
) {
  static readonly layer = Layer.effect(
    Scrubber,
    Effect.map(TextsAtStart, (texts) => {
      const secrets = [...texts].flatMap(([name, text]) =>
        Result.isSuccess(text) ? secretsIn(name, text.success) : [],
      )
      return { scrub: make(secrets) }
    }),
  )
}

/** What of a setting's text is secret. */
const secretsIn = (name: Name, text: string): ReadonlyArray<string> => {
  if (!table[name].secret) return text.split(",").flatMap(passwordIn)
  switch (name) {
    case "EVENT_SIGNING_KEYS":
      return text.split(",").map((pair) => pair.slice(pair.indexOf(":") + 1).trim())
    case "OTEL_EXPORTER_OTLP_HEADERS":
      return text.split(",").flatMap((pair) => {
        const value = pair.slice(pair.indexOf("=") + 1).trim()
        // The scheme alone is none.
        return [value, value.replace(/^\S+ /, "")]
      })
    case "FCM_SERVICE_ACCOUNT":
      return [text, ...Array.from(text.matchAll(/"private_key(?:_id)?"\s*:\s*"([^"]+)"/g), ([, key = ""]) => key)]
    default:
      return [text]
  }
}

/** A password in an address, or a query of it that is one; as it is written, and as it is meant. */
const passwordIn = (text: string): ReadonlyArray<string> => {
  const password = /^\s*[a-z][a-z0-9+.-]*:\/\/[^\s/@]*?:([^\s@]+)@/i.exec(text)?.[1]
  const found = [
    ...(password === undefined ? [] : [password]),
    ...Array.from(text.matchAll(secretQuery), ([, , value = ""]) => value),
  ]
  return found.flatMap((each) => {
    const decoded = Result.try(() => decodeURIComponent(each))
    return Result.isSuccess(decoded) ? [each, decoded.success] : [each]
  })
}
