/** The watermark of an upload: a local copy of its PNG, and the filters that draw it over the picture. */
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg"
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir"
import { Duration, Effect, FileSystem, Path } from "effect"
import type { MediaRequest } from "../pipeline/MediaRequest.ts"
import { failure } from "../pipeline/Failures.ts"
import type { ResolvedOptions } from "../pipeline/TranscodeOptions.ts"
import { download } from "../probe/Source.ts"
import type { EncodingPlan, PlanRequest } from "./EncodingPlan.ts"

/** In the parent of the folder that ffmpeg runs in. */
export const fileName = "watermark.png"

const maxBytes = 10e6
/** Pixels of a side. */
const maxSide = 4_096
/** Of the width of the picture. */
const margin = 0.02

type Limits = Pick<ResolvedOptions, "memoryLimit" | "minFreeDisk" | "sourceBuckets" | "stallTimeout">

/** Downloads the PNG to `folder`, checks that it can be decoded, and returns its etag; undefined without a watermark. */
export const fetch = Effect.fn("Watermark.fetch")(function* (
  { watermark }: MediaRequest,
  { memoryLimit, minFreeDisk, sourceBuckets, stallTimeout }: Limits,
  folder: string,
) {
  if (watermark === undefined) return undefined
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const to = path.join(folder, fileName)
  const object = yield* download({
    filePath: watermark.file_path,
    buckets: sourceBuckets,
    to,
    bytes: maxBytes,
    minFreeDisk,
    onProgress: () => Effect.void,
  }).pipe(
    Effect.catchTag("PermanentError", ({ code, message }) =>
      Effect.fail(failure("invalid_watermark", `${watermark.file_path}: ${code}: ${message}`)),
    ),
  )
  const head = Buffer.from(yield* mapDiskErrors(fs.readFile(to))).subarray(0, 24)
  const isPng = head.subarray(0, 8).equals(signature) && head.toString("latin1", 12, 16) === "IHDR"
  if (!isPng) return yield* failure("invalid_watermark", `${watermark.file_path} is no PNG`)
  const [width, height] = [head.readUInt32BE(16), head.readUInt32BE(20)]
  if (width > maxSide || height > maxSide || width === 0 || height === 0)
    return yield* failure("invalid_watermark", `it has ${width}×${height} pixels, at most ${maxSide} on a side`)
  // In the command of the video, a damaged PNG would look like a damaged video.
  const decoded = yield* Ffmpeg.run({
    args: [...decodingArgs, ...input(fileName), ..."-frames:v 1 -f null -".split(" ")],
    cwd: folder,
    onProgress: () => Effect.void,
    stallTimeout,
    timeout: Duration.minutes(1),
    memoryLimit,
  })
  if (decoded.code !== 0) return yield* failure("invalid_watermark", `${watermark.file_path} is damaged`)
  return object.etag
})

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

const decodingArgs = "-hide_banner -nostdin -loglevel error -xerror -abort_on empty_output".split(" ")

const input = (file: string): ReadonlyArray<string> => [
  ..."-protocol_whitelist file -format_whitelist png_pipe -f png_pipe -i".split(" "),
  `file:${file}`,
]

export const inputArgs = ({ request }: EncodingPlan): ReadonlyArray<string> =>
  request?.watermark === undefined ? [] : input(`../${fileName}`)

/** Draws this input over the frames of `[base]`, which has this width. Other filters may follow. */
export const filters = (
  { opacity, position, width }: NonNullable<PlanRequest["watermark"]>,
  inputNumber: number,
  pictureWidth: number,
): string => {
  const wide = Math.max(2, Math.round(pictureWidth * width))
  const gap = Math.round(pictureWidth * margin)
  const [x, y] = placeOf[position](gap)
  return (
    `;[${inputNumber}:v]format=rgba,colorchannelmixer=aa=${opacity},scale=${wide}:-1:out_color_matrix=bt709:out_range=limited,` +
    `format=yuva420p[watermark];[base][watermark]overlay=${x}:${y}:format=yuv420,setsar=1`
  )
}

const placeOf: Readonly<
  Record<NonNullable<PlanRequest["watermark"]>["position"], (gap: number) => readonly [x: string, y: string]>
> = {
  "top-left": (gap) => [`${gap}`, `${gap}`],
  "top-right": (gap) => [`W-w-${gap}`, `${gap}`],
  "bottom-left": (gap) => [`${gap}`, `H-h-${gap}`],
  "bottom-right": (gap) => [`W-w-${gap}`, `H-h-${gap}`],
  center: () => ["(W-w)/2", "(H-h)/2"],
}
