/**
 * The last look at what leaves the process as log, metric or span: no secret of the settings, no token and no signature
 * is in it. Code does not put them there in the first place; but a library may quote the address that it could not reach.
 */
import { Context, Effect, Layer, Result } from "effect"
import { TextsAtStart } from "../Settings.ts"
import { type Name, table } from "../settings/Table.ts"

export type Scrub = (text: string) => string

/** What stands in the place of a secret. */
export const hidden = "<redacted>"

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

/** What gives itself away by its form. In each, the first group stays. */
const forms = [
  // A JWT.
  /()\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
  // A header's value, also where a header is quoted with its name.
  /(\b(?:bearer|basic|vapid)[ =]+)[A-Za-z0-9._~+/=-]{8,}/gi,
  // A password in an address.
  /([a-z][a-z0-9+.-]*:\/\/[^\s:/@"'\\]*:)[^\s/@"'\\]+(?=@)/gi,
  // A query that is a key: of presigned addresses, sockets and callbacks.
  /([?&](?:token|access_token|auth|key|api_key|secret|password|signature|sig|hdnts|hdnea|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature)=)[^\s&#"'\\]+/gi,
  // A signature over an event or a webhook.
  /(\bv1=)[0-9a-f]{32,}/gi,
  // A token in a path: of playback, of Apple's devices, of a browser's push service.
  /(\/(?:play|3\/device|wpush\/v\d|fcm\/send|wp)\/)[^\s/?#"'\\]{8,}/g,
] as const

/** Too short to be told from ordinary words. */
const least = 6

export const make = (secrets: ReadonlyArray<string>): Scrub => {
  const known = [...new Set(secrets.flatMap(partsOf))]
    .filter((text) => text.length >= least)
    // One that contains another goes first.
    .sort((a, b) => b.length - a.length)
  const values = known.length === 0 ? undefined : new RegExp(known.map(escaped).join("|"), "g")
  return (text) => {
    let clean = values === undefined ? text : text.replace(values, hidden)
    for (const form of forms) clean = clean.replace(form, `$1${hidden}`)
    return clean
  }
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&")

/** The same secret as it is quoted elsewhere: in JSON, in an address, a line of it. */
const partsOf = (secret: string): ReadonlyArray<string> => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  ...secret.split(/\\n|\r?\n/).filter((line) => line.length >= 16 && !line.startsWith("-----")),
]

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

const passwordIn = (text: string): ReadonlyArray<string> => {
  const password = /^\s*[a-z][a-z0-9+.-]*:\/\/[^\s/@]*?:([^\s@]+)@/i.exec(text)?.[1]
  if (password === undefined) return []
  const decoded = Result.try(() => decodeURIComponent(password))
  return Result.isSuccess(decoded) ? [password, decoded.success] : [password]
}
