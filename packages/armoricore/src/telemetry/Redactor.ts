/**
 * The last look at what leaves the process as log, metric or span: no secret of the settings, no token and no signature
 * is in it. Code does not put them there in the first place; but a library may quote the address that it could not reach.
 */
import { Context, Effect, Layer, Result } from "effect"
import { RawSettings } from "../settings/Settings.ts"
import { type SettingName, settingsTable } from "../settings/Table.ts"
import { makeRedact, type Redact, secretQueryParameter } from "./Redaction.ts"

export class Redactor extends Context.Service<Redactor, { readonly redact: Redact }>()(
  "@armoricore/armoricore/Redactor",
) {
  static readonly layer = Layer.effect(
    Redactor,
    Effect.map(RawSettings, (texts) => {
      const secrets = [...texts].flatMap(([name, text]) =>
        Result.isSuccess(text) ? secretsIn(name, text.success) : [],
      )
      return { redact: makeRedact(secrets) }
    }),
  )
}

/** What of a setting's text is secret. */
const secretsIn = (name: SettingName, text: string): ReadonlyArray<string> => {
  if (!settingsTable[name].secret) return text.split(",").flatMap(secretsInUrl)
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
const secretsInUrl = (text: string): ReadonlyArray<string> => {
  const password = /^\s*[a-z][a-z0-9+.-]*:\/\/[^\s/@]*?:([^\s@]+)@/i.exec(text)?.[1]
  const found = [
    ...(password === undefined ? [] : [password]),
    ...Array.from(text.matchAll(secretQueryParameter), ([, , value = ""]) => value),
  ]
  return found.flatMap((each) => {
    const decoded = Result.try(() => decodeURIComponent(each))
    return Result.isSuccess(decoded) ? [each, decoded.success] : [each]
  })
}
