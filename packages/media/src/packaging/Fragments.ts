/**
 * Splits a media segment into one fragment (`moof` and `mdat`) for each key frame, so that I-frame playlists can refer to
 * each key frame by byte range. ffmpeg's packager writes one fragment per segment. Samples, times and order do not change.
 * The `sidx` box is dropped: it describes a single fragment, and playlists and manifests do not need it.
 */
import { box, children, flagsOf, fullBox, uint32, uint64, viewOf } from "./Boxes.ts"

/** The byte range of a fragment's boxes and first sample, and the duration of the fragment. */
export interface KeyFrame {
  /** Bytes from the start of the segment. */
  readonly offset: number
  readonly length: number
  readonly ticks: number
}

/** Returns the segment unchanged if its structure is not the one of ffmpeg's packager. */
export const split = (segment: Uint8Array): Uint8Array => {
  const parsed = parse(segment)
  if (parsed === undefined) return segment
  const { head, mfhd, samples, tfdt, tfhd, trunFlags, trunVersion } = parsed
  const starts = samples.flatMap(({ isKey }, index) => (isKey || index === 0 ? [index] : []))
  if (starts.length < 2) return segment
  const out: Array<Uint8Array> = [head]
  let time = tfdt
  starts.forEach((from, index) => {
    const group = samples.slice(from, starts[index + 1])
    const entry = Buffer.concat(group.map(({ record }) => record))
    const boxes = (dataOffset: number) =>
      box("moof", [
        fullBox("mfhd", 0, 0, uint32(mfhd * 64 + index)),
        box("traf", [
          tfhd,
          fullBox("tfdt", 1, 0, uint64(time)),
          fullBox("trun", trunVersion, trunFlags, uint32(group.length), uint32(dataOffset), entry),
        ]),
      ])
    out.push(
      boxes(boxes(0).byteLength + 8),
      box(
        "mdat",
        group.map(({ data }) => data),
      ),
    )
    time += BigInt(group.reduce((sum, { ticks }) => sum + ticks, 0))
  })
  return Buffer.concat(out)
}

/** The key frames of a split segment, in order. `defaultTicks` is for samples without a duration. */
export const keyFrames = (segment: Uint8Array, defaultTicks: number): ReadonlyArray<KeyFrame> =>
  fragments(segment).flatMap(({ moof, traf }) => {
    const table = traf === undefined ? undefined : samplesOf(traf, defaultTicks)
    const [first] = table?.samples ?? []
    if (table === undefined || first === undefined) return []
    const ticks = table.samples.reduce((sum, sample) => sum + sample.ticks, 0)
    return [{ offset: moof, length: table.dataOffset + first.size, ticks }]
  })

interface Sample {
  readonly size: number
  readonly ticks: number
  readonly isKey: boolean
  /** Its record in the sample table. */
  readonly record: Uint8Array
  readonly data: Uint8Array
}

/** Parses the structure of ffmpeg's packager: one fragment with one run, and a duration, size and flags for each sample. */
const parse = (segment: Uint8Array) => {
  const [fragment, ...others] = fragments(segment)
  if (fragment?.traf === undefined || others.length > 0) return undefined
  const table = samplesOf(fragment.traf, 0)
  const mfhd = children(fragment.body).find(({ type }) => type === "mfhd")?.body
  const tfdt = children(fragment.traf).find(({ type }) => type === "tfdt")?.body
  const tfhd = children(fragment.traf).find(({ type }) => type === "tfhd")
  const isKnown = children(fragment.traf).every(({ type }) => ["tfhd", "tfdt", "trun"].includes(type))
  if (table === undefined || mfhd === undefined || tfdt === undefined || tfhd === undefined || !isKnown)
    return undefined
  // The table must have a data offset, and a size and flags for each sample; offsets count from the start of the fragment.
  const requiredFlags = 0x1 | 0x200 | 0x400
  if ((table.flags & requiredFlags) !== requiredFlags || (table.flags & 0x4) !== 0 || (flagsOf(tfhd.body) & 0x1) !== 0)
    return undefined
  if ((table.flags & 0x100) === 0 && table.defaults === 0) return undefined
  let at = fragment.moof + table.dataOffset
  const samples = table.samples.map((sample): Sample => {
    const data = segment.subarray(at, at + sample.size)
    at += sample.size
    return { ...sample, data }
  })
  if (at > segment.byteLength) return undefined
  const view = viewOf(tfdt)
  return {
    head: segment.subarray(0, children(segment).find(({ type }) => type === "styp")?.end ?? 0),
    mfhd: viewOf(mfhd).getUint32(4),
    tfdt: tfdt[0] === 1 ? view.getBigUint64(4) : BigInt(view.getUint32(4)),
    tfhd: fragment.traf.subarray(tfhd.start, tfhd.end),
    trunFlags: table.flags,
    trunVersion: table.version,
    samples,
  }
}

/** The sample table of a fragment's track; undefined if it has several runs or no data offset. */
export const samplesOf = (traf: Uint8Array, defaultTicks: number) => {
  const boxes = children(traf)
  const runs = boxes.filter(({ type }) => type === "trun")
  const run = runs[0]?.body
  const tfhd = boxes.find(({ type }) => type === "tfhd")?.body
  if (run === undefined || tfhd === undefined || runs.length > 1) return undefined
  const defaults = defaultsOf(tfhd)
  const flags = flagsOf(run)
  const view = viewOf(run)
  const count = view.getUint32(4)
  const fields = [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) !== 0)
  const first = 8 + ((flags & 0x1) === 0 ? 0 : 4) + ((flags & 0x4) === 0 ? 0 : 4)
  if ((flags & 0x1) === 0 || first + count * fields.length * 4 > run.byteLength) return undefined
  const samples = Array.from({ length: count }, (_, index) => {
    const from = first + index * fields.length * 4
    const field = (flag: number): number | undefined =>
      (flags & flag) === 0 ? undefined : view.getUint32(from + fields.indexOf(flag) * 4)
    return {
      ticks: field(0x100) ?? defaults.ticks ?? defaultTicks,
      size: field(0x200) ?? defaults.size ?? 0,
      // "sample_is_non_sync_sample"
      isKey: ((field(0x400) ?? 0) & 0x10000) === 0,
      record: run.subarray(from, from + fields.length * 4),
    }
  })
  return { samples, flags, version: run[0] ?? 0, dataOffset: view.getInt32(8), defaults: defaults.ticks ?? 0 }
}

const defaultsOf = (tfhd: Uint8Array) => {
  const flags = flagsOf(tfhd)
  const view = viewOf(tfhd)
  const at = 8 + ((flags & 0x1) === 0 ? 0 : 8) + ((flags & 0x2) === 0 ? 0 : 4)
  const after = at + ((flags & 0x8) === 0 ? 0 : 4)
  return {
    ticks: (flags & 0x8) === 0 ? undefined : view.getUint32(at),
    size: (flags & 0x10) === 0 ? undefined : view.getUint32(after),
  }
}

const fragments = (segment: Uint8Array) =>
  children(segment)
    .filter(({ type }) => type === "moof")
    .map(({ body, start }) => {
      const trafs = children(body).filter(({ type }) => type === "traf")
      return { moof: start, body, traf: trafs.length === 1 ? trafs[0]?.body : undefined }
    })
