/**
 * What the packets of a track say about copying it: ffmpeg's `framecrc` listing, read line by line, so that a film of
 * many hours takes no more memory than a bit a frame.
 */
import { type KeyFramePlacement, keyFrameSeconds, segmentSeconds } from "../encode/EncodingPlan.ts"
import { peakRate, averageRate, type Segment } from "../packaging/MediaPlaylist.ts"
import type { Rational } from "../probe/MediaInfo.ts"

export interface Packet {
  /** Seconds. */
  readonly time: number
  readonly duration: number
  readonly bytes: number
  readonly checksum: string
  readonly isKey: boolean
  /** Damaged, cut off by an edit list, or with new parameters. */
  readonly isIrregular: boolean
}

/** Reads a listing of one stream, a line a call; what is no packet answers undefined. */
export const packetParser = (): ((line: string) => Packet | undefined) => {
  let tick = Number.NaN
  return (line) => {
    const base = /^#tb 0: ([0-9]+)\/([0-9]+)$/.exec(line)
    if (base !== null) tick = Number(base[1]) / Number(base[2])
    if (line === "" || line.startsWith("#")) return undefined
    const [, , pts = "", duration = "", bytes = "", checksum = "", ...more] = line.split(",").map((part) => part.trim())
    // The flags of a key frame and nothing else are not printed.
    const flags = Number(more.find((part) => part.startsWith("F="))?.slice(2) ?? 1)
    const sides = more.some((part) => part.startsWith("S="))
    return {
      time: Number(pts) * tick,
      duration: Number(duration) * tick,
      bytes: Number(bytes),
      checksum,
      isKey: (flags & 1) !== 0,
      isIrregular: (flags & 0b110) !== 0 || sides || !Number.isFinite(Number(pts)),
    }
  }
}

export interface VideoPacketSummary {
  readonly rejectReason: string | undefined
  /** Seconds at which key frames are shown, in their order. */
  readonly keys: ReadonlyArray<number>
  readonly keyFrames: KeyFramePlacement
  /** As the packager would cut it. */
  readonly segments: ReadonlyArray<Segment>
}

/** Seconds that a frame may be off its place. */
const maxJitter = 0.001
/** Longer segments would not keep to the target duration that was announced. */
const maxSegmentSeconds = segmentSeconds + 0.49

/** Takes the packets of a picture in the order of the file. */
export class VideoPacketAnalyzer {
  readonly #rate: number
  readonly #keys: Array<number> = []
  readonly #segments: Array<{ start: number; bytes: number }> = []
  #seen = new Uint8Array(1 << 12)
  #count = 0
  #last = -1
  #refusal: string | undefined

  constructor(frameRate: Rational) {
    this.#rate = frameRate.num / frameRate.den
  }

  add(packet: Packet): void {
    const frame = Math.round(packet.time * this.#rate)
    if (packet.isIrregular) this.#refusal ??= "edit list or damage"
    else if (frame < 0 || Math.abs(packet.time - frame / this.#rate) > maxJitter) this.#refusal ??= "uneven frames"
    // Frames that are shown early or late lie near: a jump that far is a gap, and no reason for a large table.
    else if (frame > this.#count * 2 + 4096) this.#refusal ??= "uneven frames"
    if (this.#refusal !== undefined) return
    if (frame >= this.#seen.length * 8) {
      const larger = new Uint8Array(Math.max(this.#seen.length * 2, Math.ceil((frame + 1) / 8)))
      larger.set(this.#seen)
      this.#seen = larger
    }
    const bit = 1 << (frame & 7)
    if (((this.#seen[frame >> 3] ?? 0) & bit) !== 0) this.#refusal = "uneven frames"
    this.#seen[frame >> 3] = (this.#seen[frame >> 3] ?? 0) | bit
    this.#count++
    this.#last = Math.max(this.#last, frame)
    if (packet.isKey) {
      this.#keys.push(packet.time)
      if (startsSegment(packet.time, this.#segments.length)) this.#segments.push({ start: packet.time, bytes: 0 })
    }
    const segment = this.#segments.at(-1)
    if (segment === undefined) this.#refusal = "no key frame first"
    else segment.bytes += packet.bytes
  }

  finish(): VideoPacketSummary {
    const end = (this.#last + 1) / this.#rate
    const segments = this.#segments.map(({ bytes, start }, index) => ({
      name: "",
      seconds: (this.#segments[index + 1]?.start ?? end) - start,
      bytes,
    }))
    const keyFrames = keyFramePlacement(this.#keys, this.#rate, end)
    const mine = this.#segments.map(({ start }) => Math.round(start * this.#rate))
    const isGood =
      keyFrames !== undefined &&
      segments.every(({ seconds }) => seconds <= maxSegmentSeconds) &&
      mine.join() === segmentStarts(keyFrames, this.#rate, this.#last).join()
    const rejectReason =
      this.#refusal ??
      (this.#count === 0 || this.#count !== this.#last + 1 ? "uneven frames" : undefined) ??
      (isGood ? undefined : "key frames")
    return { rejectReason, keys: this.#keys, keyFrames: keyFrames ?? "grid", segments }
  }
}

/** As the packager decides it of a key frame, when it has cut so many segments; whole ticks are not exact in binary. */
const startsSegment = (time: number, segments: number): boolean => time >= segments * segmentSeconds - 1e-6

/** The frames that segments of the encoded renditions begin with. */
const segmentStarts = (keyFrames: KeyFramePlacement, rate: number, last: number): ReadonlyArray<number> => {
  const cuts: Array<number> = []
  for (let n = 0; ; n++) {
    const frame = keyFrames === "grid" ? gridFrame(n, rate) : n * keyFrames.frames
    if (frame > last) return cuts
    if (startsSegment(frame / rate, cuts.length)) cuts.push(frame)
  }
}

/** The frame of the encoder's own key frame of that number. */
const gridFrame = (n: number, rate: number): number => Math.ceil(n * keyFrameSeconds * rate - 1e-6)

/** How other renditions get key frames wherever segments of this one begin; undefined where they cannot. */
const keyFramePlacement = (keys: ReadonlyArray<number>, rate: number, end: number): KeyFramePlacement | undefined => {
  const frames = keys.map((time) => Math.round(time * rate))
  const has = new Set(frames)
  const grid: Array<number> = []
  for (let n = 0; gridFrame(n, rate) / rate < end - 1e-6; n++) grid.push(gridFrame(n, rate))
  if (frames[0] === 0 && grid.every((frame) => has.has(frame))) return "grid"
  const group = frames[1]
  if (group === undefined || group / rate < 0.5 || group / rate > keyFrameSeconds + 0.05) return undefined
  if (!frames.every((frame, index) => frame === index * group)) return undefined
  return (end * rate) / group > frames.length + 0.001 ? undefined : { frames: group }
}

/** Whether a rendition of so many kilobits may hold it. The encoder's own buffer lets a segment be half as much again. */
export const fitsBitrate = (segments: ReadonlyArray<Segment>, kilobits: number): boolean =>
  averageRate(segments) <= kilobits * 1000 && peakRate(segments) <= kilobits * 1500

/** Takes the packets of a sound track: without gaps, from nought on. */
export class AudioPacketAnalyzer {
  #end: number | undefined
  #frame: number | undefined
  #wasUnlike = false
  #refusal: string | undefined

  add({ bytes, duration, isIrregular, time }: Packet): void {
    // What lies before nought is the encoder's priming, which edit lists hide: it is left out.
    if (time < -1e-6) return
    if (isIrregular || bytes === 0) this.#refusal ??= "edit list or damage"
    if (Math.abs(time - (this.#end ?? 0)) > (this.#end === undefined ? 0.024 : maxJitter)) this.#refusal ??= "gaps"
    // Some files stretch the sample before a gap; only the last may be cut short.
    if (this.#wasUnlike) this.#refusal ??= "gaps"
    this.#frame ??= duration
    this.#wasUnlike = Math.abs(duration - this.#frame) > maxJitter
    this.#end = time + duration
  }

  finish(): string | undefined {
    return this.#refusal ?? (this.#end === undefined ? "nothing to hear" : undefined)
  }
}
