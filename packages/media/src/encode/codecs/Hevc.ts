/** HEVC (H.265): two thirds of the bits of H.264. Apple's players and most televisions decode it, browsers in part. */
import { hevcEncoder } from "@armoricore/ffmpeg/FfmpegPrograms"
import { nalUnits } from "./SliceRanges.ts"
import type { HdrFormat, VideoCodec } from "./VideoCodec.ts"

/** x265 takes its own options as one list. No information unit: it would name the encoder's settings in every stream. */
const params = (hdr: HdrFormat | undefined): string =>
  ["log-level=error:open-gop=0:scenecut=0:info=0", ...(hdr === undefined ? [] : hdrParams(hdr))].join(":")

/** Colours are those of the frames. ffmpeg 7 and earlier do not pass on the metadata of HDR10. */
const hdrParams = ({ metadata, transfer }: HdrFormat): ReadonlyArray<string> => {
  if (transfer !== "smpte2084") return []
  if (metadata === undefined) return ["hdr10=1"]
  const { blue, green, light, luminance, red, white } = metadata
  const point = ({ x, y }: { readonly x: number; readonly y: number }) =>
    `(${Math.round(x * 50_000)},${Math.round(y * 50_000)})`
  const range = `L(${Math.round(luminance.max * 10_000)},${Math.round(luminance.min * 10_000)})`
  return [
    `hdr10=1:master-display=G${point(green)}B${point(blue)}R${point(red)}WP${point(white)}${range}`,
    ...(light === undefined ? [] : [`max-cll=${Math.round(light.content)},${Math.round(light.average)}`]),
  ]
}

export const hevc: VideoCodec = {
  id: "hevc",
  encoder: hevcEncoder,
  minSide: 32,
  maxSide: 8_192,
  costFactor: 3,
  bitrateFactor: 0.65,
  // Parameter sets only in the initialisation segment: Apple's players refuse `hev1`.
  sampleEntry: "hvc1",
  configBox: "hvcC",
  codecString: (config) => hevcString(config),
  encoderArgs: (stream, hdr) => [
    ...`-c${stream || ":v"} libx265 -preset${stream} veryfast -crf${stream} 27`.split(" "),
    ...`-profile${stream || ":v"} ${hdr === undefined ? "main" : "main10"}`.split(" "),
    ...`-tag${stream || ":v"} hvc1 -x265-params${stream} ${params(hdr)}`.split(" "),
  ],
  fixedGopArgs: () => [],
  closedGopArgs: (stream) => [`-forced-idr${stream}`, "1"],
  // Unit types below 32 (ITU-T H.265, table 7-1).
  sliceRanges: nalUnits((header) => (header & 0x7e) >> 1 < 32),
  chunkArgs: (hdr) => ["-x265-params", `${params(hdr)}:pools=1:frame-threads=1`],
  hdrCodecString: (codec) => codec,
}

/** `hvc1.1.6.L93.90`, by ISO/IEC 14496-15, annex E. */
const hevcString = (config: DataView): string => {
  const [first, level] = [config.getUint8(1), config.getUint8(12)]
  const space = ["", "A", "B", "C"][first >> 6] ?? ""
  const tier = (first & 0x20) === 0 ? "L" : "H"
  const compatibility = reverseBits(config.getUint32(2)).toString(16).toUpperCase()
  const constraints = Array.from({ length: 6 }, (_, index) => config.getUint8(6 + index))
  const used = constraints.slice(0, constraints.findLastIndex((byte) => byte !== 0) + 1)
  return [
    "hvc1",
    `${space}${first & 0x1f}`,
    compatibility,
    `${tier}${level}`,
    ...used.map((byte) => byte.toString(16).toUpperCase()),
  ].join(".")
}

const reverseBits = (value: number): number =>
  Array.from({ length: 32 }, (_, bit) => bit).reduce((sum, bit) => sum + ((value >>> bit) & 1) * 2 ** (31 - bit), 0)
