/** Akamai EdgeAuth tokens, version 2.0, as publicly documented. */
import { createHmac } from "node:crypto"
import { Redacted } from "effect"

export interface TokenOptions {
  /** Hexadecimal, as shown in the property's configuration. */
  readonly key: Redacted.Redacted<string>
  /** Epoch seconds. */
  readonly start?: number
  readonly expires: number
  /** Either an ACL (paths with the wildcards `*` and `?`), or one exact URL path that is signed but not sent. */
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
