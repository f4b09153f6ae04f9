/** The cost of HEVC and AV1 ladders against one command written by hand, and of protection. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { requiredEncoders } from "@armoricore/media/encode/codecs/Codecs"
import type { Ladder } from "@armoricore/media/encode/Ladder"
import type { TranscodeOptions } from "@armoricore/media/pipeline/TranscodeOptions"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, FileSystem, Layer, Path, Redacted } from "effect"
import { type CpuCost, measure } from "../support/CpuCost.ts"
import { runFfmpeg, minCost, uploadedEvent } from "./FfmpegBaseline.ts"
import * as Results from "../Results.ts"

const ladder: Ladder = [
  { shortSide: 720, kilobits: 2800 },
  { shortSide: 360, kilobits: 800 },
]

/** The encoders as a person would call them, with the quality of the project's renditions. */
const encoders: Readonly<Record<string, string>> = {
  h264: "libx264 -preset:S veryfast -crf:S 23 -sc_threshold:S 0 -forced-idr:S 1",
  hevc: "libx265 -preset:S veryfast -crf:S 27 -tag:S hvc1 -x265-params:S log-level=error:open-gop=0:scenecut=0 -forced-idr:S 1",
  av1: "libsvtav1 -preset:S 9 -crf:S 36 -svtav1-params:S scd=0",
}
const bitrateFactors: Readonly<Record<string, number>> = { h264: 1, hevc: 0.65, av1: 0.5 }

/** One decode, each size scaled once, all codecs of a size from the same frames, and the poster and the thumbnail of the pipeline. */
const byHand = (codecs: ReadonlyArray<string>, source: string): ReadonlyArray<string> => {
  const outputs = ladder.flatMap(({ kilobits }, size) => codecs.map((codec) => ({ codec, kilobits, size })))
  const labels = (size: number) =>
    outputs.flatMap((output, index) => (output.size === size ? [`[v${index}]`] : [])).join("")
  const n = codecs.length
  const image = (frame: number) => `select=eq(n\\,${frame}),format=yuvj420p`
  const graph = [
    `[0:v]fps=30,split=${n + 2}${labels(0)}[s][large]`,
    `[s]scale=640:360:flags=bicubic,split=${n + 1}${labels(1)}[small]`,
    `[large]${image(36)}[poster]`,
    `[small]${image(0)}[thumbnail]`,
  ].join(";")
  return [
    ...`-v error -i ${source} -filter_complex`.split(" "),
    graph,
    ...outputs.flatMap(({ codec, kilobits }, index) => {
      const rate = Math.ceil(kilobits * (bitrateFactors[codec] ?? 1))
      const encoder = (encoders[codec] ?? "").replaceAll(":S", `:v:${index}`)
      const limits = `-maxrate:v:${index} ${rate}k -bufsize:v:${index} ${rate * 2}k -g:v:${index} 60`
      return `-map [v${index}] -c:v:${index} ${encoder} ${limits}`.split(" ")
    }),
    ..."-force_key_frames expr:gte(t,n_forced*2) -map 0:a -c:a aac -b:a 128k -ac 2 -f hls -hls_time 4".split(" "),
    ..."-hls_playlist_type vod -hls_segment_type fmp4 -hls_segment_filename %v-%d.m4s -var_stream_map".split(" "),
    [...outputs.map((_, index) => `v:${index},agroup:audio`), "a:0,agroup:audio"].join(" "),
    "%v.m3u8",
    ..."-map [poster] -frames:v 1 -update 1 poster.jpg -map [thumbnail] -frames:v 1 -update 1 thumbnail.jpg".split(" "),
  ]
}

/** Tables and their aims. */
export const run = Effect.fn("bench.codecs")(
  function* (folder: string, seconds: number, rounds: number) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const storage = yield* ObjectStorage
    const source = path.join(folder, "codecs.mp4")
    yield* runFfmpeg(
      [
        ...`-v error -f lavfi -i mandelbrot=s=1280x720:r=30 -f lavfi -i sine=440:r=48000 -t ${seconds}`.split(" "),
        ...`-vf noise=alls=6:allf=t,format=yuv420p -c:v libx264 -preset veryfast -crf 20 -c:a aac -b:a 192k ${source}`.split(
          " ",
        ),
      ],
      folder,
    )
    const bytes = yield* fs.readFile(source)
    yield* storage.put<never, never>({ bucket: "media", key: "codecs.mp4" }, bytes, { contentType: "video/mp4" })
    const secret = Redacted.make("a secret of the bench")

    const made = (options: Pick<TranscodeOptions, "codecs" | "protection">) =>
      measure(
        Effect.gen(function* () {
          const { processUpload } = yield* UploadPipeline
          const outcome = yield* processUpload(uploadedEvent("codecs.mp4"), { fencingToken: 1 })
          if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
        }).pipe(
          Effect.provide(
            UploadPipeline.layer({
              bucket: "media",
              sourceBuckets: ["media"],
              ladder,
              passthrough: false,
              thumbnails: 1,
              storyboard: false,
              ...options,
            }),
          ),
        ),
      )

    const ladders = [
      ["h264", "hevc"],
      ["h264", "av1"],
    ] as const
    const costs = ladders.map((codecs) => ({
      codecs,
      pipeline: new Array<CpuCost>(),
      byHand: new Array<CpuCost>(),
    }))
    const protections = { none: new Array<CpuCost>(), "aes-128": new Array<CpuCost>(), cbcs: new Array<CpuCost>() }
    for (let round = 1; round <= rounds; round++) {
      for (const cost of costs) {
        cost.pipeline.push(yield* made({ codecs: cost.codecs }))
        cost.byHand.push(yield* measure(runFfmpeg(byHand(cost.codecs, source), folder)))
      }
      protections.none.push(yield* made({}))
      for (const scheme of ["aes-128", "cbcs"] as const)
        protections[scheme].push(yield* made({ protection: { scheme, secret } }))
    }
    return [
      `Source: 720p30, ${seconds} s. Two sizes, each in H.264 and one further codec. The least of ${rounds} rounds.`,
      "",
      Results.markdownTable([
        ["codecs", "pipeline, CPU s", "one command by hand, CPU s", "parts of it"],
        ...costs.map(({ byHand: hand, codecs, pipeline }) => [
          codecs.join(", "),
          minCost(pipeline, "cpu").toFixed(1),
          minCost(hand, "cpu").toFixed(1),
          (minCost(pipeline, "cpu") / minCost(hand, "cpu")).toFixed(2),
        ]),
      ]),
      "",
      "Aim: at most 1.05.",
      "",
      Results.markdownTable([
        ["MEDIA_PROTECTION (H.264)", "CPU s", "parts of none"],
        ...Object.entries(protections).map(([scheme, of]) => [
          scheme,
          minCost(of, "cpu").toFixed(2),
          (minCost(of, "cpu") / minCost(protections.none, "cpu")).toFixed(3),
        ]),
      ]),
      "",
      "Aim: at most 1.03.",
    ].join("\n")
  },
  Effect.provide(FfmpegPrograms.layer({ encoders: requiredEncoders(["h264", "hevc", "av1"]) }).pipe(Layer.orDie)),
)
