/**
 * Reads what a stream's playlists must say out of its fragmented MP4 boxes: the codec with its profile and level, and
 * how long a segment really is. Only boxes that ffmpeg's own output holds; never used on a stranger's file.
 */

export interface Track {
  /** As RFC 6381 writes it: `avc1.64001F`, `mp4a.40.2`. */
  readonly codec: string
  /** Ticks a second. */
  readonly timescale: number
  /** Ticks of a sample where a fragment does not say. */
  readonly sampleDuration: number
}

/** The track of an initialisation segment; undefined where the bytes hold none that is known. */
export const readInit = (bytes: Uint8Array): Track | undefined => {
  const view = viewOf(bytes)
  const mdhd = find(view, ["moov", "trak", "mdia", "mdhd"])
  const stsd = find(view, ["moov", "trak", "mdia", "minf", "stbl", "stsd"])
  if (mdhd === undefined || stsd === undefined) return undefined
  const timescale = mdhd.getUint32(mdhd.getUint8(0) === 1 ? 20 : 12)
  const trex = find(view, ["moov", "mvex", "trex"])
  const sampleDuration = trex === undefined ? 0 : trex.getUint32(12)
  const codec = codecOf(subview(stsd, 8))
  return codec === undefined ? undefined : { codec, timescale, sampleDuration }
}

/** Seconds of a media segment: the sum of its samples' durations. */
export const segmentSeconds = (bytes: Uint8Array, track: Track): number => {
  let ticks = 0
  for (const moof of boxes(viewOf(bytes))) {
    if (moof.type !== "moof") continue
    for (const traf of boxes(moof.body)) {
      if (traf.type === "traf") ticks += trafTicks(traf.body, track.sampleDuration)
    }
  }
  return ticks / track.timescale
}

/** The start of a media segment in seconds of decode time; undefined where it has no `tfdt`. */
export const segmentStart = (bytes: Uint8Array, track: Track): number | undefined => {
  const tfdt = find(viewOf(bytes), ["moof", "traf", "tfdt"])
  if (tfdt === undefined) return undefined
  const ticks = tfdt.getUint8(0) === 1 ? Number(tfdt.getBigUint64(4)) : tfdt.getUint32(4)
  return ticks / track.timescale
}

interface Box {
  readonly type: string
  readonly body: DataView
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const subview = (view: DataView, from: number): DataView =>
  new DataView(view.buffer, view.byteOffset + from, view.byteLength - from)

const fourCC = (view: DataView, at: number): string =>
  String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3))

function* boxes(view: DataView): Generator<Box> {
  let at = 0
  while (at + 8 <= view.byteLength) {
    const short = view.getUint32(at)
    const long = short === 1 && at + 16 <= view.byteLength
    const size = long ? Number(view.getBigUint64(at + 8)) : short === 0 ? view.byteLength - at : short
    const head = long ? 16 : 8
    if (size < head || at + size > view.byteLength) return
    yield {
      type: fourCC(view, at + 4),
      body: new DataView(view.buffer, view.byteOffset + at + head, size - head),
    }
    at += size
  }
}

const find = (view: DataView, path: ReadonlyArray<string>): DataView | undefined => {
  let current: DataView | undefined = view
  for (const type of path) {
    if (current === undefined) return undefined
    let next: DataView | undefined
    for (const box of boxes(current)) {
      if (box.type === type) {
        next = box.body
        break
      }
    }
    current = next
  }
  return current
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0").toUpperCase()

/** Bytes of a sample entry before its own boxes. */
const entryHead = { avc1: 78, mp4a: 28 }

const codecOf = (entries: DataView): string | undefined => {
  for (const entry of boxes(entries)) {
    if (entry.type === "avc1") {
      const avcC = find(subview(entry.body, entryHead.avc1), ["avcC"])
      if (avcC === undefined) return undefined
      return `avc1.${hex(avcC.getUint8(1))}${hex(avcC.getUint8(2))}${hex(avcC.getUint8(3))}`
    }
    if (entry.type === "mp4a") {
      const esds = find(subview(entry.body, entryHead.mp4a), ["esds"])
      return esds === undefined ? undefined : audioCodec(subview(esds, 4))
    }
  }
  return undefined
}

/** Descriptor tags of ISO/IEC 14496-1. */
const tag = { es: 0x03, decoderConfig: 0x04, decoderSpecific: 0x05 }

const audioCodec = (view: DataView): string | undefined => {
  let at = 0
  let objectType: number | undefined
  while (at + 2 <= view.byteLength) {
    const kind = view.getUint8(at++)
    let size = 0
    for (let byte = 0x80; (byte & 0x80) !== 0 && at < view.byteLength;) {
      byte = view.getUint8(at++)
      size = (size << 7) | (byte & 0x7f)
    }
    if (kind === tag.es) at += 3
    else if (kind === tag.decoderConfig) {
      objectType = view.getUint8(at)
      at += 13
    } else if (kind === tag.decoderSpecific && objectType !== undefined && size > 0) {
      return `mp4a.${hex(objectType)}.${view.getUint8(at) >> 3}`
    } else at += size
  }
  return objectType === undefined ? undefined : `mp4a.${hex(objectType)}`
}

const trafTicks = (traf: DataView, fromTrex: number): number => {
  let perSample = fromTrex
  let ticks = 0
  for (const { type, body } of boxes(traf)) {
    if (type === "tfhd") {
      const flags = body.getUint32(0) & 0xffffff
      const at = 8 + ((flags & 0x1) === 0 ? 0 : 8) + ((flags & 0x2) === 0 ? 0 : 4)
      if ((flags & 0x8) !== 0) perSample = body.getUint32(at)
    } else if (type === "trun") {
      const flags = body.getUint32(0) & 0xffffff
      const count = body.getUint32(4)
      if ((flags & 0x100) === 0) {
        ticks += count * perSample
        continue
      }
      const stride = [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) !== 0).length * 4
      let at = 8 + ((flags & 0x1) === 0 ? 0 : 4) + ((flags & 0x4) === 0 ? 0 : 4)
      for (let sample = 0; sample < count; sample++, at += stride) ticks += body.getUint32(at)
    }
  }
  return ticks
}
