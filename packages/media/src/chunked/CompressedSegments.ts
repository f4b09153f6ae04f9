/**
 * Thousands of segments as one short text: a document of the state may be as large as a message of NATS, a megabyte by
 * default, and the sound of a film in six languages has more to say than that.
 */
import { deflateSync, inflateSync } from "node:zlib"
import { Effect, Schema } from "effect"
import type { Segment } from "../packaging/MediaPlaylist.ts"

/** Column by column, which is what makes it short. */
const Columns = Schema.fromJsonString(
  Schema.Struct({
    names: Schema.Array(Schema.String),
    seconds: Schema.Array(Schema.Finite),
    bytes: Schema.Array(Schema.Int),
  }),
)

/** Fewer are short enough as they are, and can be read by whoever looks. */
const minSegments = 500

/** As they are, where that is short enough; pictures never have so many in one part. */
export const compress = <S extends ReadonlyArray<Segment>>(segments: S): S | string => {
  if (segments.length < minSegments || segments.some(({ iFrameSegments = [] }) => iFrameSegments.length > 0))
    return segments
  const columns: typeof Columns.Type = {
    names: segments.map(({ name }) => name),
    seconds: segments.map(({ seconds }) => seconds),
    bytes: segments.map(({ bytes }) => bytes),
  }
  return deflateSync(JSON.stringify(columns)).toString("base64")
}

/** Fails with a defect where it is not what `pack` made. */
export const decompress = Effect.fnUntraced(function* <S extends ReadonlyArray<Segment>>(compressed: S | string) {
  if (typeof compressed !== "string") return compressed
  const text = yield* Effect.sync(() => inflateSync(Buffer.from(compressed, "base64")).toString())
  const { bytes, names, seconds } = yield* Effect.orDie(Schema.decodeEffect(Columns)(text))
  return names.map((name, at) => ({ name, seconds: seconds[at] ?? 0, bytes: bytes[at] ?? 0, iFrameSegments: [] }))
})
