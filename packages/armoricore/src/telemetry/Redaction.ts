/**
 * Takes secrets out of texts: those it is given, however they are quoted, and what gives itself away by its form.
 */
export type Redact = (text: string) => string

/** What stands in the place of a secret. */
export const placeholder = "<redacted>"

/** A query that is a key: of presigned addresses, sockets and callbacks. */
export const secretQueryParameter =
  /([?&](?:token|access_token|auth|key|api_key|secret|password|signature|sig|hdnts|hdnea|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature)=)([^\s&#"'\\]+)/gi

/** What gives itself away by its form. In each, the first group stays. */
const secretPatterns = [
  // A JWT.
  /()\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
  // A header's value, also where a header is quoted with its name.
  /(\b(?:bearer|basic|vapid)[ =]+)[A-Za-z0-9._~+/=-]{8,}/gi,
  // A password in an address.
  /([a-z][a-z0-9+.-]*:\/\/[^\s:/@"'\\]*:)[^\s/@"'\\]+(?=@)/gi,
  secretQueryParameter,
  // The seed of a NATS nkey, as a file of credentials has it.
  /()\bS[ACNOUX][A-Z2-7]{56}\b/g,
  // A signature over an event or a webhook.
  /(\bv1=)[0-9a-f]{32,}/gi,
  // A token in a path: of playback, of Apple's devices, of a browser's push service.
  /(\/(?:play|3\/device|wpush\/v\d|fcm\/send|wp)\/)[^\s/?#"'\\]{8,}/g,
] as const

/** Too short to be told from ordinary words. */
const minSecretLength = 6

export const makeRedact = (secrets: ReadonlyArray<string>): Redact => {
  const known = [...new Set(secrets.flatMap(encodedForms))]
    .filter((text) => text.length >= minSecretLength)
    // One that contains another goes first.
    .sort((a, b) => b.length - a.length)
  const values = known.length === 0 ? undefined : new RegExp(known.map(escapeRegExp).join("|"), "g")
  return (text) => {
    let clean = values === undefined ? text : text.replace(values, placeholder)
    for (const form of secretPatterns) clean = clean.replace(form, `$1${placeholder}`)
    return clean
  }
}

const escapeRegExp = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&")

/** The same secret as it is quoted elsewhere: in JSON, in an address, a line of it. */
const encodedForms = (secret: string): ReadonlyArray<string> => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  ...secret.split(/\\n|\r?\n/).filter((line) => line.length >= 16 && !line.startsWith("-----")),
]
