/**
 * Checks a stream like a strict player, independently of the code under test: hls-parser reads the playlists, ffprobe and a
 * separate box reader the segments. Returns one line for each fault.
 */
import { Effect, FileSystem, Path } from "effect"
import * as HLS from "hls-parser"
import { checkDash } from "./DashChecker.ts"
import { decrypted } from "./Decryption.ts"
import { checkKeyFrames } from "./KeyFrameChecker.ts"
import { decodeFaults, type Packet, readPackets } from "./SegmentReader.ts"
import { checkStoryboard } from "./StoryboardChecker.ts"

export interface Report {
  readonly faults: ReadonlyArray<string>
  readonly variants: ReadonlyArray<{
    readonly uri: string
    readonly width: number
    readonly height: number
    readonly codecs: string
    readonly bandwidth: number
    readonly seconds: number
    readonly frameRate: number
  }>
  readonly hasAudioGroup: boolean
  readonly tracks: ReadonlyArray<{
    readonly uri: string
    readonly name: string
    readonly language: string | undefined
    readonly seconds: number
  }>
}

/** `folder` contains the objects of the stream, with `master.m3u8` at the top; `keys` are those of a protected one. */
export const check = Effect.fnUntraced(function* (folder: string, keys: ReadonlyArray<Uint8Array> = []) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const faults: Array<string> = []
  const text = yield* fs.readFileString(path.join(folder, "master.m3u8"))
  for (const tag of ["EXT-X-INDEPENDENT-SEGMENTS", "AVERAGE-BANDWIDTH="]) {
    if (!text.includes(tag)) faults.push(`the master playlist has no ${tag}`)
  }
  const master = HLS.parse(text)
  if (!(master instanceof HLS.types.MasterPlaylist)) return yield* Effect.die(new Error("not a master playlist"))

  const rendition = Effect.fnUntraced(function* (uri: string) {
    const media = HLS.parse(yield* fs.readFileString(path.join(folder, uri)))
    if (!(media instanceof HLS.types.MediaPlaylist))
      return yield* Effect.die(new Error(`${uri} is not a media playlist`))
    if (!media.endlist || media.playlistType !== "VOD") faults.push(`${uri} is not a finished VOD playlist`)
    const base = path.join(folder, path.dirname(uri))
    const init = media.segments[0]?.map?.uri
    if (init === undefined) return yield* Effect.die(new Error(`${uri} has no EXT-X-MAP`))
    const initBytes = yield* fs.readFile(path.join(base, init))
    const contents = yield* Effect.forEach(media.segments, (segment) =>
      Effect.map(fs.readFile(path.join(base, segment.uri)), (stored) => ({
        uri: `${uri} ${segment.uri}`,
        storedBytes: stored.byteLength,
        ...decrypted(segment, stored, keys),
      })),
    )
    if (keys.length > 0 && !contents.every(({ isEncrypted }) => isEncrypted))
      faults.push(`${uri} names segments without a key`)
    faults.push(...(yield* decodeFaults(base, initBytes, contents)))
    const { packets, ...size } = yield* readPackets(base, initBytes, contents)
    const segments = media.segments.map((segment, index) => ({
      uri: segment.uri,
      bytes: contents[index]?.storedBytes ?? 0,
      seconds: segment.duration,
      packets: packets[index] ?? [],
    }))
    for (const segment of segments) {
      if (segment.seconds > media.targetDuration + 0.5) {
        faults.push(`${uri} ${segment.uri} is longer than EXT-X-TARGETDURATION`)
      }
    }
    for (const [index, segment] of segments.entries()) {
      if (segment.packets[0]?.key !== true) faults.push(`${uri} ${segment.uri} does not begin with a key frame`)
      const first = firstTime(segment.packets)
      const next = segments[index + 1]
      if (next === undefined) continue
      const gap = firstTime(next.packets) - first
      if (Math.abs(gap - segment.seconds) > 0.002) {
        faults.push(`${uri} ${segment.uri} states ${segment.seconds} s and lasts ${gap}`)
      }
    }
    return {
      method: media.segments[0]?.key?.method,
      uri,
      initBytes,
      segments,
      target: media.targetDuration,
      size: `${size.width}x${size.height}`,
    }
  })

  const playable = master.variants.filter(({ isIFrameOnly }) => isIFrameOnly !== true)
  const tracks = playable.flatMap(({ audio }) => audio).filter(({ uri }) => uri !== undefined)
  const audioUris = [...new Set(tracks.flatMap(({ uri }) => (uri === undefined ? [] : [uri])))]
  const sounds = yield* Effect.forEach(audioUris, rendition)
  // The sound by itself is offered beside the pictures; its segments are those of the group.
  const variants = playable.filter(({ resolution, uri }) => resolution !== undefined || !audioUris.includes(uri))
  const parts = yield* Effect.forEach(variants, ({ uri }) => rendition(uri))
  const loudest = [...sounds].sort((a, b) => peakOf(b.segments, b.target) - peakOf(a.segments, a.target)).slice(0, 1)

  for (const { uri } of variants.filter(({ resolution }) => resolution !== undefined)) {
    const name = path.dirname(uri)
    const scrub = master.variants.find((one) => one.isIFrameOnly === true && path.dirname(one.uri) === name)
    if (scrub === undefined) faults.push(`${uri} has no I-frame playlist`)
    else faults.push(...(yield* checkKeyFrames(folder, scrub.uri, keys)))
  }
  const isWhole = keys.length > 0 && parts.every(({ method }) => method === "AES-128")
  // DASH has no encryption of whole segments.
  if (isWhole !== !(yield* fs.exists(path.join(folder, "manifest.mpd"))))
    faults.push("manifest.mpd is there against the protection")
  if (!isWhole) faults.push(...(yield* checkDash(folder, [...parts, ...sounds])))
  faults.push(...(yield* checkStoryboard(folder, parts[0])))

  for (const [index, variant] of variants.entries()) {
    const part = parts[index]
    const first = parts[0]
    if (part === undefined || first === undefined) continue
    const withSound = [part, ...(variant.resolution === undefined ? [] : loudest)]
    const held = withSound.map(({ initBytes }) => codecOf(initBytes)).join(",")
    if (variant.codecs !== held) faults.push(`${variant.uri} states CODECS ${variant.codecs} and holds ${held}`)
    const peak = withSound.reduce((sum, { segments, target }) => sum + peakOf(segments, target), 0)
    if (Math.abs(variant.bandwidth - peak) > peak * 0.1) {
      faults.push(`${variant.uri} states BANDWIDTH ${variant.bandwidth}, measured ${Math.round(peak)}`)
    }
    if ((variant.averageBandwidth ?? Number.POSITIVE_INFINITY) > variant.bandwidth) {
      faults.push(`${variant.uri}: AVERAGE-BANDWIDTH is above BANDWIDTH`)
    }
    if (variant.resolution === undefined) continue
    if (!/VIDEO-RANGE=SDR/.test(text)) faults.push(`${variant.uri} has no VIDEO-RANGE`)
    if (variant.frameRate === undefined) faults.push(`${variant.uri} has no FRAME-RATE`)
    const times = (one: typeof part) => one.segments.map(({ packets }) => firstTime(packets).toFixed(2)).join(" ")
    if (times(part) !== times(first)) {
      faults.push(`${variant.uri} has segments at ${times(part)}, ${first.uri} at ${times(first)}`)
    }
    const keys = part.segments.flatMap(({ packets }) => packets.filter(({ key }) => key).map(({ time }) => time))
    const scrubbing = yield* fs.readFileString(path.join(folder, path.dirname(variant.uri), "iframes.m3u8"))
    const named = scrubbing.split("#EXTINF:").length - 1
    if (named !== keys.length)
      faults.push(`${variant.uri} has ${keys.length} key frames, its I-frame playlist ${named}`)
    // A copied picture may have more of them.
    for (const [at, time] of keys.entries()) {
      const before = keys[at - 1] ?? -2
      if (time - before > 2.05) faults.push(`${variant.uri}: key frame ${at} at ${time}, the one before at ${before}`)
    }
    const end = Math.max(...part.segments.flatMap(({ packets }) => packets.map(({ time }) => time)))
    if (keys.length < Math.floor(end / 2)) faults.push(`${variant.uri} has ${keys.length} key frames in ${end} s`)
    const { size } = part
    if (size !== `${variant.resolution.width}x${variant.resolution.height}`) {
      faults.push(`${variant.uri} states another RESOLUTION than ${size}`)
    }
  }
  const lengths = [...parts, ...sounds].map(({ segments, uri }) => ({
    uri,
    seconds: segments.reduce((sum, { seconds }) => sum + seconds, 0),
  }))
  const longest = Math.max(...lengths.map(({ seconds }) => seconds))
  for (const { seconds, uri } of lengths) {
    if (longest - seconds > 0.3) faults.push(`${uri} lasts ${seconds} s, another part of the stream ${longest} s`)
  }
  const firstSound = sounds[0]?.segments[0]?.packets
  const firstPicture = parts[0]?.segments[0]?.packets
  if (firstSound !== undefined && firstPicture !== undefined) {
    const apart = Math.abs(firstTime(firstSound) - firstTime(firstPicture))
    if (apart > 0.03) faults.push(`sound and picture begin ${apart} s apart`)
  }
  return {
    faults,
    hasAudioGroup: sounds.length > 0 && variants.some(({ resolution }) => resolution !== undefined),
    tracks: sounds.map(({ segments, uri }) => ({
      uri,
      name: tracks.find((one) => one.uri === uri)?.name ?? "",
      language: tracks.find((one) => one.uri === uri)?.language,
      seconds: segments.reduce((sum, { seconds }) => sum + seconds, 0),
    })),
    variants: variants.map((variant, index) => ({
      uri: variant.uri,
      width: variant.resolution?.width ?? 0,
      height: variant.resolution?.height ?? 0,
      codecs: variant.codecs ?? "",
      bandwidth: variant.bandwidth,
      frameRate: variant.frameRate ?? 0,
      seconds: parts[index]?.segments.reduce((sum, { seconds }) => sum + seconds, 0) ?? 0,
    })),
  } satisfies Report
})

const firstTime = (packets: ReadonlyArray<Packet>): number => Math.min(...packets.map(({ time }) => time))

/** An independent implementation of RFC 8216's peak rate: every run of 0.5 to 1.5 target durations. */
const peakOf = (
  segments: ReadonlyArray<{ readonly bytes: number; readonly seconds: number }>,
  target: number,
): number => {
  const rates = segments.flatMap((_, from) =>
    segments.slice(from).flatMap((_, length) => {
      const run = segments.slice(from, from + length + 1)
      const seconds = run.reduce((sum, one) => sum + one.seconds, 0)
      const bits = run.reduce((sum, one) => sum + one.bytes * 8, 0)
      return seconds >= target * 0.5 && seconds <= target * 1.5 ? [bits / seconds] : []
    }),
  )
  // A stream shorter than half a target duration: its rate over all.
  const seconds = segments.reduce((sum, one) => sum + one.seconds, 0)
  const whole = segments.reduce((sum, one) => sum + one.bytes * 8, 0) / seconds
  return rates.length === 0 ? whole : Math.max(...rates)
}

/** Looks for the boxes by their names, unlike the code under test. */
const codecOf = (init: Uint8Array): string => {
  const bytes = Buffer.from(init)
  const avcC = bytes.indexOf("avcC", 0, "latin1")
  if (avcC >= 0)
    return `avc1.${bytes
      .subarray(avcC + 5, avcC + 8)
      .toString("hex")
      .toUpperCase()
      // Level 1b, which Chromium does not know, is stated as 1.1.
      .replace(/09$/, "0B")}`
  const hvcC = bytes.indexOf("hvcC", 0, "latin1")
  if (hvcC >= 0) {
    const profile = (bytes[hvcC + 5] ?? 0) & 31
    // Main and Main 10 only: their compatibility flags, reversed, are 6 and 4.
    const constraint = bytes.toString("hex", hvcC + 10, hvcC + 11).toUpperCase()
    return `hvc1.${profile}.${profile === 1 ? 6 : 4}.L${bytes[hvcC + 16]}.${constraint}`
  }
  const av1C = bytes.indexOf("av1C", 0, "latin1")
  if (av1C >= 0) {
    const level = String((bytes[av1C + 5] ?? 0) & 31).padStart(2, "0")
    if (((bytes[av1C + 6] ?? 0) & 0x40) === 0) return `av01.0.${level}M.08`
    const transfer = bytes.readUInt16BE(bytes.indexOf("nclx", 0, "latin1") + 6)
    return `av01.0.${level}M.10.0.110.09.${transfer}.09.0`
  }
  const esds = bytes.indexOf("esds", 0, "latin1")
  if (esds < 0) return "unknown"
  // DecoderSpecificInfo, behind bit rates that may contain a 5: tag 5, a length of up to four bytes, then five bits of object type.
  let at = bytes.indexOf(5, esds + 34) + 1
  while ((bytes[at] ?? 0) >= 0x80) at++
  return `mp4a.40.${(bytes[at + 1] ?? 0) >> 3}`
}
