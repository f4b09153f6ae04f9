/**
 * Decides what of a source is copied instead of encoded: its picture as the largest rendition, its sound tracks. Only
 * where nothing speaks against it, neither in the headers (`CopyConditions`) nor in a single packet: one pass over the
 * file, without decoding. A picture's key frames must all be IDR (closed groups), its parameter sets constant, and the
 * segments that follow from them no larger than the rung allows.
 */
import type { TransientError } from "@armoricore/domain/Errors"
import type { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { inputRestrictions } from "@armoricore/ffmpeg/InputRestrictions"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { Duration, Effect, FileSystem, Path, Stream } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import { videoCodec } from "../encode/codecs/Codecs.ts"
import type { VideoPassthroughRules } from "../encode/codecs/VideoCodec.ts"
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import type { Ladder } from "../encode/Ladder.ts"
import { averageRate } from "../packaging/MediaPlaylist.ts"
import { videoRejectReason, audioRejectReason } from "./PassthroughConditions.ts"
import { fitsBitrate, type Packet, VideoPacketAnalyzer, packetParser, AudioPacketAnalyzer } from "./PacketAnalyzer.ts"

export interface PassthroughRequest {
  /** The source's local file. */
  readonly input: string
  /** An empty folder for the listings. */
  readonly folder: string
  readonly ladder: Ladder
  readonly timeout: Duration.Duration
}

export interface PassthroughDecision {
  /** With what is copied. */
  readonly plan: EncodingPlan
  /** What speaks against copying the picture. */
  readonly videoRejectReason: string | undefined
  /** What speaks against copying each sound track. */
  readonly audioRejectReasons: ReadonlyArray<string | undefined>
}

/** Never fails because of the file: what is not understood is encoded. */
export const decide = Effect.fn("CopyCheck.decide")(function* (
  plan: EncodingPlan,
  request: PassthroughRequest,
): Effect.fn.Return<
  PassthroughDecision,
  TransientError,
  FileSystem.FileSystem | Path.Path | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
> {
  const { info } = plan
  const [top] = plan.renditions
  const headerRejectReason = videoRejectReason(info, top, plan.frameRate)
  const rules = headerRejectReason === undefined && top !== undefined ? videoCodec(top.codec).passthrough : undefined
  const audioHeaderRejectReasons = info.audioTracks.map((sound) => audioRejectReason(info, sound, plan.loudness))
  const tracks = audioHeaderRejectReasons.flatMap((refusal, track) => (refusal === undefined ? [track] : []))
  if (headerRejectReason !== undefined && tracks.length === 0)
    return { plan, videoRejectReason: headerRejectReason, audioRejectReasons: audioHeaderRejectReasons }
  if (!(yield* listPackets(plan, rules, tracks, request))) {
    return {
      plan,
      videoRejectReason: headerRejectReason ?? unlistedReason,
      audioRejectReasons: audioHeaderRejectReasons.map((refusal) => refusal ?? unlistedReason),
    }
  }
  const video = headerRejectReason === undefined ? yield* checkVideo(plan, request) : undefined
  const audioRejectReasons = yield* Effect.forEach(audioHeaderRejectReasons, (refusal, track) =>
    refusal === undefined ? checkAudio(track, request) : Effect.succeed(refusal),
  )
  const passthroughTracks = tracks.filter((track) => audioRejectReasons[track] === undefined)
  const rejectReason = headerRejectReason ?? video?.rejectReason
  yield* Effect.logDebug("what speaks against copying", { picture: rejectReason, audioRejectReasons })
  if (rejectReason !== undefined || video === undefined) {
    return {
      plan: passthroughTracks.length === 0 ? plan : plan.with({ passthrough: { audioTracks: passthroughTracks } }),
      videoRejectReason: rejectReason,
      audioRejectReasons,
    }
  }
  const { keyFrames, segments } = video
  const kilobits = Math.ceil(averageRate(segments) / 1000)
  const renditions = plan.renditions.map((one) => (one === top ? { ...one, kilobits } : one))
  return {
    plan: plan.with({ renditions, passthrough: { audioTracks: passthroughTracks, video: { keyFrames } } }),
    videoRejectReason: undefined,
    audioRejectReasons,
  }
})

const unlistedReason = "unreadable packets"

const checkAudio = Effect.fnUntraced(function* (track: number, { folder }: PassthroughRequest) {
  const analyzer = new AudioPacketAnalyzer()
  yield* forEachPacket(folder, audioListing(track), (packet) => analyzer.add(packet))
  return analyzer.finish()
})

const audioListing = (track: number): string => `sound-${track}`

/** Writes a listing a track, and for the picture which of its packets hold an IDR, and the parameter sets in them. */
const listPackets = Effect.fnUntraced(function* (
  { info }: EncodingPlan,
  rules: VideoPassthroughRules | undefined,
  tracks: ReadonlyArray<number>,
  { folder, input, timeout }: PassthroughRequest,
) {
  const listing = (name: string, stream: number, ...filter: ReadonlyArray<string>) => [
    ..."-map".split(" "),
    `0:${stream}`,
    ..."-c copy".split(" "),
    ...filter,
    ..."-f framecrc".split(" "),
    `file:${name}`,
  ]
  const video = info.video?.index ?? 0
  const result = yield* Ffmpeg.run({
    args: [
      ..."-hide_banner -nostdin -loglevel error".split(" "),
      ...inputRestrictions,
      "-i",
      `file:${input}`,
      ...(rules !== undefined
        ? [
            ...listing("picture", video),
            ...listing("idr", video, "-bsf:v", `filter_units=pass_types=${rules.idrUnits}`),
            ...listing("sets", video, "-bsf:v", `filter_units=pass_types=${rules.parameterSetUnits}`),
          ]
        : []),
      ...tracks.flatMap((track) => listing(audioListing(track), info.audioTracks[track]?.index ?? 0)),
    ],
    cwd: folder,
    onProgress: () => Effect.void,
    stallTimeout: Duration.minutes(1),
    timeout,
  })
  if (result.code === 0 && result.stderr.trim() === "") return true
  yield* Effect.logDebug("the packets could not be listed: nothing is copied", { result })
  return false
})

const checkVideo = Effect.fnUntraced(function* (plan: EncodingPlan, { folder, ladder }: PassthroughRequest) {
  const analyzer = new VideoPacketAnalyzer(plan.frameRate)
  yield* forEachPacket(folder, "picture", (packet) => analyzer.add(packet))
  const summary = analyzer.finish()
  if (summary.rejectReason !== undefined) return summary
  const idrTimes: Array<number> = []
  yield* forEachPacket(folder, "idr", ({ time }) => void idrTimes.push(time))
  if (idrTimes.length !== summary.keys.length || idrTimes.some((time, index) => time !== summary.keys[index])) {
    return { ...summary, rejectReason: "open groups" }
  }
  const parameterSets: Array<string> = []
  let carriers = 0
  yield* forEachPacket(folder, "sets", ({ bytes, checksum }) => {
    const one = `${bytes} ${checksum}`
    if (!parameterSets.includes(one) && parameterSets.length < 2) parameterSets.push(one)
    carriers++
  })
  // Either only the header has them, or every key frame has the same.
  if (parameterSets.length > 1 || (parameterSets.length === 1 && carriers < summary.keys.length))
    return { ...summary, rejectReason: "parameters" }
  const side = Math.min(plan.info.video?.width ?? 0, plan.info.video?.height ?? 0)
  const specs = [...ladder].sort((a, b) => a.shortSide - b.shortSide)
  const spec = specs.findLast((one) => one.shortSide <= side) ?? specs[0]
  if (!fitsBitrate(summary.segments, spec?.kilobits ?? 0)) return { ...summary, rejectReason: "bit rate" }
  return summary
})

const forEachPacket = Effect.fnUntraced(function* (folder: string, name: string, onPacket: (packet: Packet) => void) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const read = packetParser()
  let rest = ""
  const lines = (text: string) => {
    const all = (rest + text).split("\n")
    rest = all.pop() ?? ""
    for (const line of all) {
      const packet = read(line)
      if (packet !== undefined) onPacket(packet)
    }
  }
  const file = path.join(folder, name)
  yield* mapDiskErrors(
    Stream.runForEach(Stream.decodeText(fs.stream(file)), (text) => Effect.sync(() => lines(text))).pipe(
      Effect.andThen(fs.remove(file)),
    ),
  )
  lines("\n")
})
