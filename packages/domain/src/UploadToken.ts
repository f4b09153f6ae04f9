/**
 * The token that `POST /v1/uploads` returns beside the media id. It proves that this installation gave exactly this media
 * id and this file to this user, so a backend that passes it on in `media.uploaded` cannot be tricked into publishing
 * another user's file or media.
 *
 * `v1.HEX`, HEX = HMAC-SHA256 over media id, user id and file path, each preceded by its length. It does not expire: it
 * permits nothing but a statement that stays true.
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { Redacted } from "effect"
import { constantTimeEqual } from "./ConstantTimeEqual.ts"

export interface Upload {
  readonly media_id: string
  readonly user_id: string
  /** `s3://bucket/key` */
  readonly file_path: string
}

/** The key of upload tokens, derived from the secret of signed URLs. */
export const deriveKey = (urlSecret: Redacted.Redacted<string>): Redacted.Redacted<string> =>
  Redacted.make(
    bytesToHex(hmac(sha256, utf8ToBytes(Redacted.value(urlSecret)), utf8ToBytes("armoricore upload tokens"))),
  )

const version = "v1."

/** The lengths make it impossible to move characters from one field to the next. */
const encode = ({ file_path, media_id, user_id }: Upload): Uint8Array =>
  concatBytes(
    ...[media_id, user_id, file_path].flatMap((field) => {
      const bytes = utf8ToBytes(field)
      return [utf8ToBytes(`${bytes.length}:`), bytes]
    }),
  )

export const issue = (key: Redacted.Redacted<string>, upload: Upload): string =>
  version + bytesToHex(hmac(sha256, utf8ToBytes(Redacted.value(key)), encode(upload)))

/**
 * A new media id, a UUID of version 8: 60 random bits, then 60 bits of a MAC over these and the user. So a process with the
 * key recognises the owner of an upload before it is announced, without having stored anything.
 */
export const newMediaId = (key: Redacted.Redacted<string>, userId: string): string => {
  const random = crypto.randomUUID()
  return withMac(key, userId, `${random.slice(0, 14)}8${random.slice(15, 20)}`)
}

/** Whether {@link newMediaId} returned the id for this user. */
export const isMediaIdOf = (key: Redacted.Redacted<string>, userId: string, mediaId: string): boolean =>
  constantTimeEqual(utf8ToBytes(withMac(key, userId, mediaId.slice(0, 20))), utf8ToBytes(mediaId))

/** `head`: the id up to the variant. */
const withMac = (key: Redacted.Redacted<string>, userId: string, head: string): string => {
  const mac = bytesToHex(hmac(sha256, utf8ToBytes(Redacted.value(key)), utf8ToBytes(`media id ${head} ${userId}`)))
  return `${head}${mac.slice(0, 3)}-${mac.slice(3, 15)}`
}

/** Whether `issue` returned the token for this upload. Takes the same time for every token. */
export const isValid = (key: Redacted.Redacted<string>, upload: Upload, token: string): boolean =>
  constantTimeEqual(utf8ToBytes(issue(key, upload)), utf8ToBytes(token))
