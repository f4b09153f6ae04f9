/**
 * The token that `POST /v1/uploads` returns beside the media id. It proves that this installation gave exactly this media
 * id and this file to this user, so a backend that passes it on in `media.uploaded` cannot be tricked into publishing
 * another user's file or media.
 *
 * `v1.HEX`, HEX = HMAC-SHA256 over media id, user id and file path, each preceded by its length. It does not expire: it
 * permits nothing but a statement that stays true.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { Redacted } from "effect";
import { constantTimeEqual } from "./ConstantTimeEqual.ts";
/** The key of upload tokens, derived from the secret of signed URLs. */
export const deriveKey = (urlSecret) => Redacted.make(bytesToHex(hmac(sha256, utf8ToBytes(Redacted.value(urlSecret)), utf8ToBytes("armoricore upload tokens"))));
const version = "v1.";
/** The lengths make it impossible to move characters from one field to the next. */
const encode = ({ file_path, media_id, user_id }) => concatBytes(...[media_id, user_id, file_path].flatMap((field) => {
    const bytes = utf8ToBytes(field);
    return [utf8ToBytes(`${bytes.length}:`), bytes];
}));
export const issue = (key, upload) => version + bytesToHex(hmac(sha256, utf8ToBytes(Redacted.value(key)), encode(upload)));
/** Whether `issue` returned the token for this upload. Takes the same time for every token. */
export const isValid = (key, upload, token) => constantTimeEqual(utf8ToBytes(issue(key, upload)), utf8ToBytes(token));
