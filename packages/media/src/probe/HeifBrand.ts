/**
 * Photos in the box structure of MP4 (HEIF): the first box tells which kind. What ffmpeg makes of them depends on its
 * age: nothing, a stream of a second, or a stream for each of the tiles that a phone cuts its photos into.
 */
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { Effect, FileSystem, Stream } from "effect"

export type HeifBrand =
  /** One picture in AV1, which ffmpeg shows as a film of one frame. */
  | "avif"
  /** One in HEVC, mostly of tiles. */
  | "heif"

const heifBrands = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"])

/** Undefined: it is no such photo. */
export const read = Effect.fn("PictureBrand.read")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const pieces = yield* mapDiskErrors(Stream.runCollect(fs.stream(file, { bytesToRead: 64 })))
  return parse(Buffer.concat(pieces))
})

export const parse = (head: Buffer): HeifBrand | undefined => {
  if (head.toString("latin1", 4, 8) !== "ftyp") return undefined
  const end = Math.min(head.byteLength, head.readUInt32BE(0))
  const brands: Array<string> = []
  // Between the first and the others lies a version.
  for (const at of [8, ...Array.from({ length: 12 }, (_, index) => 16 + index * 4)]) {
    if (at + 4 <= end) brands.push(head.toString("latin1", at, at + 4))
  }
  const [first = ""] = brands
  if (first === "avif" || (first === "mif1" && brands.includes("avif"))) return "avif"
  return heifBrands.has(first) ? "heif" : undefined
}
