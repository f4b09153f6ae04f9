/** How playlists and manifests name the keys of a protected stream. */
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { Effect } from "effect"
import type { Segment } from "../packaging/MediaPlaylist.ts"
import * as Aes128 from "./Aes128.ts"
import { keyIndex, type Protection, segmentNumber } from "./Protection.ts"

export interface KeyTags {
  readonly protection: Protection
  /** Where players send requests for licenses of ClearKey. */
  readonly licenseUrl: string
  /** The lines that precede a segment. */
  readonly linesFor: (segment: Segment) => ReadonlyArray<string>
  /** The same for an entry of an I-frame playlist. */
  readonly iFrameLinesFor: (segment: Segment) => ReadonlyArray<string>
}

/** `prefix` is that of the version and ends with a slash. Undefined: the stream is not protected. */
export const make = Effect.fnUntraced(function* (protection: Protection | undefined, bucket: string, prefix: string) {
  if (protection === undefined) return undefined
  const keys = yield* Effect.flatMap(PlaybackUrls, ({ keysFor }) => keysFor({ bucket, key: prefix }))
  const tag = (attributes: ReadonlyArray<string>) => `#EXT-X-KEY:${attributes.join(",")}`
  const linesFor = (segment: Segment, ...more: ReadonlyArray<string>): ReadonlyArray<string> => {
    const index = keyIndex(protection, segment.name)
    const uri = `URI="${keys.relative ?? keys.url}/${index}"`
    if (protection.scheme === "aes-128") return [tag(["METHOD=AES-128", uri, ...more])]
    const keyId = `KEYID=0x${protection.keyIds[index] ?? ""}`
    return [
      // Only this form: hls.js prefers `identity`, for which it does not decrypt CMAF.
      tag(["METHOD=SAMPLE-AES", uri, 'KEYFORMAT="org.w3.clearkey"', keyId]),
      ...(protection.systems ?? []).flatMap(({ hls }) =>
        hls === undefined
          ? []
          : [
              tag([
                "METHOD=SAMPLE-AES",
                `URI="${hls.uri}"`,
                `KEYFORMAT="${hls.keyformat}"`,
                'KEYFORMATVERSIONS="1"',
                keyId,
              ]),
            ],
      ),
    ]
  }
  return {
    protection,
    licenseUrl: keys.url,
    linesFor: (segment) => linesFor(segment),
    iFrameLinesFor: (segment) =>
      protection.scheme === "aes-128"
        ? linesFor(segment, Aes128.vectorAttribute(segmentNumber(segment.name)))
        : linesFor(segment),
  } satisfies KeyTags
})
