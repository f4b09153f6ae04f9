/**
 * How the segments of a stream are encrypted. The plan of an upload has this description, which holds no secret, so every
 * worker encrypts alike and writes the same playlists.
 */
import { Duration, type Redacted, Schema } from "effect"
import { segmentSeconds } from "../encode/Segments.ts"

/** `aes-128`: whole segments, HLS only. `cbcs`: samples in CMAF, for HLS and DASH. */
export const ProtectionScheme = Schema.Literals(["aes-128", "cbcs"])
export type ProtectionScheme = typeof ProtectionScheme.Type

/** How a DRM system finds its keys; a key server that serves one returns it. */
export const DrmSystem = Schema.Struct({
  /** Attributes of `EXT-X-KEY`. */
  hls: Schema.optionalKey(Schema.Struct({ keyformat: Schema.String, uri: Schema.String })),
  /** An element `ContentProtection`; `pssh` is a whole box in base64. */
  dash: Schema.optionalKey(Schema.Struct({ scheme_id_uri: Schema.String, pssh: Schema.optionalKey(Schema.String) })),
})
export type DrmSystem = typeof DrmSystem.Type

export const Protection = Schema.Struct({
  scheme: ProtectionScheme,
  /** The id of each key, 32 hexadecimal digits. */
  keyIds: Schema.NonEmptyArray(Schema.String),
  /** Each key is for this many segments, the last one for the rest; absent: one key for all. */
  segmentsPerKey: Schema.optionalKey(Schema.Int),
  systems: Schema.optionalKey(Schema.Array(DrmSystem)),
})
export type Protection = typeof Protection.Type

export interface ProtectionOptions {
  readonly scheme: ProtectionScheme
  /** Encrypts the stored keys. */
  readonly secret: Redacted.Redacted<string>
  /** The part of a stream that one key is for, rounded up to whole segments. Default: all of it. */
  readonly period?: Duration.Duration
  /** Makes the keys. Default: they are made here. */
  readonly keyServer?: { readonly url: string; readonly secret: Redacted.Redacted<string> }
}

export const segmentsPerKey = ({ period }: ProtectionOptions): number | undefined =>
  period === undefined ? undefined : Math.max(1, Math.ceil(Duration.toSeconds(period) / segmentSeconds))

/** How many keys a stream of this length needs. */
export const keyCount = (options: ProtectionOptions, seconds: number): number => {
  const segments = segmentsPerKey(options)
  return segments === undefined ? 1 : Math.max(1, Math.ceil(seconds / segmentSeconds / segments))
}

/** The number of a segment: its name is `00012.m4s`. */
export const segmentNumber = (name: string): number => Number.parseInt(name, 10)

/** Which key a segment is encrypted with. */
export const keyIndex = ({ keyIds, segmentsPerKey: perKey }: Protection, segment: string): number =>
  perKey === undefined ? 0 : Math.min(keyIds.length - 1, Math.floor(segmentNumber(segment) / perKey))
