/**
 * `METHOD=AES-128` of RFC 8216: AES-128-CBC with PKCS #7 padding over a whole segment. The initialisation vector is the
 * number of the segment, which players take if the playlist names none.
 */
import { createCipheriv } from "node:crypto"

export const encrypt = (segment: Uint8Array, key: Uint8Array, number: number): Uint8Array => {
  const cipher = createCipheriv("aes-128-cbc", key, vector(number))
  return Buffer.concat([cipher.update(segment), cipher.final()])
}

const vector = (number: number): Uint8Array => {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(number, 12)
  return bytes
}

/** The attribute for playlists whose entries have other numbers than the segments. */
export const vectorAttribute = (number: number): string => `IV=0x${Buffer.from(vector(number)).toString("hex")}`
