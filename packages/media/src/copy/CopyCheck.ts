/**
 * Decides what of a source is copied instead of encoded: its picture as the largest rendition, its sound tracks. Only
 * where nothing speaks against it, neither in the headers (`CopyConditions`) nor in a single packet: one pass over the
 * file, without decoding. A picture's key frames must all be IDR (closed groups), its parameter sets constant, and the
 * segments that follow from them no larger than the rung allows.
 */
import type { TransientError } from "@armoricore/domain/Errors"
import type { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { inputGuards } from "@armoricore/ffmpeg/InputGuards"
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { diskTrouble } from "@armoricore/ffmpeg/WorkFolder"
import { Duration, Effect, FileSystem, Path, Stream } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import type { Plan } from "../FfmpegCommand.ts"
import type { Ladder } from "../Ladder.ts"
import { averageRate } from "../MediaPlaylist.ts"
import { pictureRefusal, soundRefusal } from "./CopyConditions.ts"
import { isWithin, type Packet, PictureReader, reader, SoundReader } from "./PacketList.ts"

export interface Request {
  /** The source's local file. */
  readonly input: string
  /** An empty folder for the listings. */
  readonly folder: string
  readonly ladder: Ladder
  readonly limit: Duration.Duration
}

export interface Decision {
  /** With what is copied. */
  readonly plan: Plan
  /** What speaks against copying the picture. */
  readonly picture: string | undefined
  /** What speaks against copying each sound track. */
  readonly sounds: ReadonlyArray<string | undefined>
}

/** Never fails because of the file: what is not understood is encoded. */
export const decide = Effect.fn("CopyCheck.decide")(function* (
  plan: Plan,
  request: Request,
): Effect.fn.Return<
  Decision,
  TransientError,
  FileSystem.FileSystem | Path.Path | FfmpegPrograms | ChildProcessSpawner.ChildProcessSpawner
> {
  const { info } = plan
  const [top] = plan.renditions
  const header = pictureRefusal(info, top, plan.frameRate)
  const headers = info.sounds.map((sound) => soundRefusal(info, sound, plan.loudness))
  const tracks = headers.flatMap((refusal, track) => (refusal === undefined ? [track] : []))
  if (header !== undefined && tracks.length === 0) return { plan, picture: header, sounds: headers }
  if (!(yield* list(plan, header === undefined, tracks, request))) {
    return { plan, picture: header ?? unlisted, sounds: headers.map((refusal) => refusal ?? unlisted) }
  }
  const picture = header === undefined ? yield* judgePicture(plan, request) : undefined
  const sounds = yield* Effect.forEach(headers, (refusal, track) =>
    refusal === undefined ? judgeSound(track, request) : Effect.succeed(refusal),
  )
  const taken = new Set(tracks.filter((track) => sounds[track] === undefined))
  const refusal = header ?? picture?.refusal
  yield* Effect.logDebug("what speaks against copying", { picture: refusal, sounds })
  if (refusal !== undefined || picture === undefined) {
    return { plan: taken.size === 0 ? plan : { ...plan, copied: { sounds: taken } }, picture: refusal, sounds }
  }
  const { keyFrames, segments } = picture
  const kilobits = Math.ceil(averageRate(segments) / 1000)
  const renditions = plan.renditions.map((one) => (one === top ? { ...one, kilobits } : one))
  return {
    plan: { ...plan, renditions, copied: { sounds: taken, picture: { keyFrames } } },
    picture: undefined,
    sounds,
  }
})

const unlisted = "unreadable packets"

const judgeSound = Effect.fnUntraced(function* (track: number, { folder }: Request) {
  const sound = new SoundReader()
  yield* each(folder, soundName(track), (packet) => sound.add(packet))
  return sound.end()
})

const soundName = (track: number): string => `sound-${track}`

/** Writes a listing a track, and for the picture which of its packets hold an IDR, and the parameter sets in them. */
const list = Effect.fnUntraced(function* (
  { info }: Plan,
  withPicture: boolean,
  tracks: ReadonlyArray<number>,
  { folder, input, limit }: Request,
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
  const ended = yield* Ffmpeg.run({
    args: [
      ..."-hide_banner -nostdin -loglevel error".split(" "),
      ...inputGuards,
      "-i",
      `file:${input}`,
      ...(withPicture
        ? [
            ...listing("picture", video),
            ...listing("idr", video, "-bsf:v", "filter_units=pass_types=5"),
            ...listing("sets", video, "-bsf:v", "filter_units=pass_types=7-8"),
          ]
        : []),
      ...tracks.flatMap((track) => listing(soundName(track), info.sounds[track]?.index ?? 0)),
    ],
    cwd: folder,
    onProgress: () => Effect.void,
    stuckAfter: Duration.minutes(1),
    limit,
  })
  if (ended.code === 0 && ended.stderr.trim() === "") return true
  yield* Effect.logDebug("the packets could not be listed: nothing is copied", { ended })
  return false
})

const judgePicture = Effect.fnUntraced(function* (plan: Plan, { folder, ladder }: Request) {
  const picture = new PictureReader(plan.frameRate)
  yield* each(folder, "picture", (packet) => picture.add(packet))
  const facts = picture.end()
  if (facts.refusal !== undefined) return facts
  const idr: Array<number> = []
  yield* each(folder, "idr", ({ time }) => void idr.push(time))
  if (idr.length !== facts.keys.length || idr.some((time, index) => time !== facts.keys[index])) {
    return { ...facts, refusal: "open groups" }
  }
  const sets: Array<string> = []
  let carriers = 0
  yield* each(folder, "sets", ({ bytes, checksum }) => {
    const one = `${bytes} ${checksum}`
    if (!sets.includes(one) && sets.length < 2) sets.push(one)
    carriers++
  })
  // Either only the header has them, or every key frame has the same.
  if (sets.length > 1 || (sets.length === 1 && carriers < facts.keys.length)) return { ...facts, refusal: "parameters" }
  const side = Math.min(plan.info.video?.width ?? 0, plan.info.video?.height ?? 0)
  const rungs = [...ladder].sort((a, b) => a.side - b.side)
  const rung = rungs.findLast((one) => one.side <= side) ?? rungs[0]
  if (!isWithin(facts.segments, rung?.kilobits ?? 0)) return { ...facts, refusal: "bit rate" }
  return facts
})

const each = Effect.fnUntraced(function* (folder: string, name: string, take: (packet: Packet) => void) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const read = reader()
  let rest = ""
  const lines = (text: string) => {
    const all = (rest + text).split("\n")
    rest = all.pop() ?? ""
    for (const line of all) {
      const packet = read(line)
      if (packet !== undefined) take(packet)
    }
  }
  const file = path.join(folder, name)
  yield* diskTrouble(
    Stream.runForEach(Stream.decodeText(fs.stream(file)), (text) => Effect.sync(() => lines(text))).pipe(
      Effect.andThen(fs.remove(file)),
    ),
  )
  lines("\n")
})
