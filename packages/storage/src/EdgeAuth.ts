/** Akamai EdgeAuth tokens, version 2.0, by their public description. */
import { createHmac } from "node:crypto"
import { Redacted } from "effect"

export interface TokenOptions {
  /** Hexadecimal, as the property's configuration shows it. */
  readonly key: Redacted.Redacted<string>
  /** Epoch seconds. */
  readonly start?: number
  readonly expires: number
  /** Either the paths it opens (`*` and `?` are wildcards), or the one path that is signed, as it stands in the request, and not sent. */
  readonly grant: { readonly acl: ReadonlyArray<string> } | { readonly url: string }
}

/** At most 32 hexadecimal digits, an even number. */
export const isKey = (text: string): boolean => /^(?:[0-9a-fA-F]{2}){1,16}$/.test(text)

export const token = ({ key, start, expires, grant }: TokenOptions): string => {
  const sent = [
    ...(start === undefined ? [] : [`st=${start}`]),
    `exp=${expires}`,
    ...("acl" in grant ? [`acl=${grant.acl.join("!")}`] : []),
  ]
  const signed = "url" in grant ? [...sent, `url=${grant.url}`] : sent
  const hmac = createHmac("sha256", Buffer.from(Redacted.value(key), "hex"))
    .update(signed.join("~"))
    .digest("hex")
  return [...sent, `hmac=${hmac}`].join("~")
}
