/** The index of an MP4 gives the same times as its packets, or is not used. */
import "../support/NpmProgramsFirst.ts"
import * as Mp4Index from "@armoricore/media/probe/Mp4Index"
import * as PacketScan from "@armoricore/media/probe/PacketScan"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { isFfmpegMissing, programs } from "../support/Pipeline.ts"
import { run } from "../support/RunFfmpeg.ts"

const words = (text: string) => text.split(" ")
const video = (rate = "25", seconds = 4) => testVideo({ size: "64x48", rate, seconds })
const clip = [...video(), ...tone(4), ...h264, ...words("-bf 2 -g 25 -c:a aac")]

interface Case {
  readonly args: ReadonlyArray<string>
  /** Cut from the result of `args` without encoding. */
  readonly cut?: string
  /** The share of the file that is left. */
  readonly share?: number
  readonly extension?: string
}

const indexed: Readonly<Record<string, Case>> = {
  "reordered frames and audio with priming": { args: clip },
  "an index at the start": { args: [...clip, ...words("-movflags +faststart")] },
  "no edit lists": { args: [...clip, ...words("-use_editlist 0")] },
  "negative composition offsets": { args: [...clip, ...words("-movflags +negative_cts_offsets")] },
  "a late video": { args: [...video(), ...h264, ...words("-output_ts_offset 3.21")] },
  "29.97 frames a second": { args: [...video("30000/1001"), ...h264] },
  "a variable frame rate": {
    args: [...video("60"), ...words("-vf select=not(mod(n\\,2))+between(t\\,1\\,2) -fps_mode vfr"), ...h264],
  },
  "PCM in MOV": { args: [...video(), ...tone(3), ...h264, ...words("-c:a pcm_s16le")], extension: "mov" },
  "one frame and audio": { args: [...video("25", 0.04), ...tone(3), ...h264, ...words("-c:a aac")] },
  "audio only": { args: [...tone(4), ...words("-c:a aac")], extension: "m4a" },
  "a start that is hidden": { args: clip, cut: "-ss 1.6" },
}
const scanned: Readonly<Record<string, Case>> = {
  fragments: { args: [...clip, ...words("-movflags +frag_keyframe+empty_moov")] },
  "a truncated file with its index at the start": { args: [...clip, ...words("-movflags +faststart")], share: 0.6 },
  Matroska: { args: clip, extension: "mkv" },
}

describe.skipIf(isFfmpegMissing)("Mp4Index", () => {
  layer(programs, { excludeTestServices: true })((it) => {
    const measure = Effect.fnUntraced(function* ({ args, cut, extension = "mp4", share }: Case) {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fs.makeTempDirectoryScoped()
      const made = path.join(folder, `made.${extension}`)
      yield* ffmpeg([...args, made])
      const file = cut === undefined ? made : path.join(folder, `cut.${extension}`)
      if (cut !== undefined) yield* ffmpeg([...words(cut), "-i", made, ...words("-c copy"), file])
      if (share !== undefined) yield* fs.truncate(file, Math.round(Number((yield* fs.stat(file)).size) * share))
      const packets = yield* run("ffprobe", [
        ...words("-v error -show_entries packet=stream_index,pts_time,dts_time,duration_time,flags -of csv=p=0"),
        file,
      ])
      const streams = yield* run("ffprobe", [...words("-v error -show_entries stream=index,id -of csv=p=0"), file])
      const tracks = streams.stdout
        .trim()
        .split("\n")
        .map((line) => ({ index: Number(line.split(",")[0]), id: Number(line.split(",")[1]) }))
      const options = { tracks: tracks.map(({ index }) => index), start: 0, hasClockJumps: false }
      const [byPackets, byIndex] = [PacketScan.make(options), PacketScan.make(options)]
      packets.stdout.split("\n").forEach(byPackets.addLine)
      const listed = yield* Mp4Index.read(file, tracks)
      listed?.forEach(byIndex.add)
      return tracks.map(({ index }) => ({
        packets: byPackets.track(index),
        index: listed === undefined ? undefined : byIndex.track(index),
      }))
    })

    it.effect.each(Object.entries(indexed))("measures %s as its packets do", ([, one]) =>
      Effect.gen(function* () {
        for (const { index, packets } of yield* measure(one)) {
          assert.closeTo(index?.start ?? -1, packets?.start ?? 0, 0.001)
          assert.closeTo(index?.end ?? -1, packets?.end ?? 0, 0.001)
          // All audio is one packet.
          if (index?.packets === 1) continue
          assert.strictEqual(index?.packets, packets?.packets)
          assert.strictEqual(index?.isReordered, packets?.isReordered)
          assert.closeTo(index?.usualRate ?? 0, packets?.usualRate ?? 0, 0.0005)
        }
      }).pipe(Effect.scoped),
    )

    it.effect.each(Object.entries(scanned))("does not measure %s", ([, one]) =>
      Effect.gen(function* () {
        for (const { index } of yield* measure(one)) assert.isUndefined(index)
      }).pipe(Effect.scoped),
    )
  })
})
