/**
 * The file format of one object in the local folder.
 *
 * A file holds the object's bytes, followed by a trailer (attributes as JSON, its length, a magic number). One rename
 * publishes both together, and an open file is one version of the object even if it is replaced meanwhile.
 */
import { createHash } from "node:crypto"
import { type FileHandle, open } from "node:fs/promises"
import { Option, Schema } from "effect"
import type { ObjectInfo } from "../ObjectStorage.ts"

const magic = "ARMOBJ01"
const footerBytes = magic.length + 4
/** More than the longest key, content type and cache control need. */
const maxMetadataBytes = 16_384

const Metadata = Schema.fromJsonString(
  Schema.Struct({
    bucket: Schema.String,
    key: Schema.String,
    size: Schema.Finite,
    contentType: Schema.String,
    cacheControl: Schema.optionalKey(Schema.String),
    contentDisposition: Schema.optionalKey(Schema.String),
    etag: Schema.String,
    modifiedAt: Schema.Finite,
  }),
)
const encode = Schema.encodeSync(Metadata)
const decode = Schema.decodeUnknownOption(Metadata)

/** Changes with every byte. */
export class Digest {
  readonly #hash = createHash("sha256")
  size = 0
  add(chunk: Uint8Array): void {
    this.#hash.update(chunk)
    this.size += chunk.byteLength
  }
  etag(): string {
    return this.#hash.digest("hex").slice(0, 32)
  }
}

/** The trailer. */
export const trailer = (info: ObjectInfo): Buffer => {
  const known = Buffer.from(encode(info))
  const foot = Buffer.alloc(footerBytes)
  foot.writeUInt32BE(known.byteLength, 0)
  foot.write(magic, 4, "latin1")
  return Buffer.concat([known, foot])
}

/** `none` if the file has no valid trailer: foreign, or not completely written. */
export const readTrailer = async (file: FileHandle): Promise<Option.Option<ObjectInfo>> => {
  const { size } = await file.stat()
  // The first read usually contains the whole trailer.
  const tail = await readAt(file, Math.max(0, size - 1024), Math.min(size, 1024))
  if (tail.byteLength < footerBytes || tail.toString("latin1", tail.byteLength - magic.length) !== magic) {
    return Option.none()
  }
  const knownBytes = tail.readUInt32BE(tail.byteLength - footerBytes)
  if (knownBytes > maxMetadataBytes || knownBytes + footerBytes > size) return Option.none()
  const known =
    knownBytes + footerBytes <= tail.byteLength
      ? tail.subarray(tail.byteLength - footerBytes - knownBytes, tail.byteLength - footerBytes)
      : await readAt(file, size - footerBytes - knownBytes, knownBytes)
  return Option.filter(decode(known.toString("utf8")), (info) => info.size === size - footerBytes - knownBytes)
}

/** Opens the file, uses it and closes it. */
export const withFile = async <A>(path: string, use: (file: FileHandle) => Promise<A>): Promise<A> => {
  const file = await open(path, "r")
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/** Up to `length` bytes, in `buffer` if there is one; fewer only at the end of the file. */
export const readAt = async (
  file: FileHandle,
  position: number,
  length: number,
  buffer: Buffer = Buffer.allocUnsafe(length),
): Promise<Buffer> => {
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
