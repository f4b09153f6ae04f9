/** Encrypts the files of one stream by its plan. */
import { isAudio, type Track } from "../packaging/Mp4.ts"
import { videoCodecOf } from "../encode/codecs/Codecs.ts"
import * as Aes128 from "./Aes128.ts"
import * as Cbcs from "./Cbcs.ts"
import { keyIndex, type Protection, segmentNumber } from "./Protection.ts"

export interface ProtectedSegment {
  readonly stored: Uint8Array
  /** The same segment with readable boxes, at the same positions. */
  readonly measured: Uint8Array
}

/** The results are undefined if a file does not have the structure of ffmpeg's packager. */
export interface Protector {
  readonly init: (bytes: Uint8Array, track: Track) => Uint8Array | undefined
  /** `name` holds the number of the segment. */
  readonly segment: (name: string, bytes: Uint8Array, track: Track) => ProtectedSegment | undefined
}

/** `keys` are in the order of the ids in the plan. */
export const make = (
  protection: Protection,
  keys: readonly [Cbcs.ContentKey, ...Array<Cbcs.ContentKey>],
): Protector => {
  const keyOf = (name: string) => keys[keyIndex(protection, name)] ?? keys[0]
  if (protection.scheme === "aes-128") {
    return {
      init: (bytes) => bytes,
      segment: (name, bytes) => ({
        stored: Aes128.encrypt(bytes, keyOf(name).key, segmentNumber(name)),
        measured: bytes,
      }),
    }
  }
  return {
    init: (bytes, track) => Cbcs.protectInit(bytes, keys[0], protection.keyIds, isAudio(track)),
    segment: (name, bytes, track) => {
      const ranges = isAudio(track) ? undefined : videoCodecOf(track.codec).sliceRanges
      const stored = Cbcs.protectSegment(bytes, keyOf(name), protection.keyIds, ranges)
      return stored === undefined ? undefined : { stored, measured: stored }
    },
  }
}
