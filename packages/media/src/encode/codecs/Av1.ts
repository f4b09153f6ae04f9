/** AV1: half of the bits of H.264. Current browsers, phones and televisions decode it. */
import { av1Encoder } from "@armoricore/ffmpeg/FfmpegPrograms"
import { openBitstreamUnits } from "./SliceRanges.ts"
import type { HdrFormat, VideoCodec } from "./VideoCodec.ts"

const params = (hdr: HdrFormat | undefined): string =>
  ["scd=0:irefresh-type=2", ...(hdr === undefined ? [] : hdrParams(hdr))].join(":")

const hdrParams = ({ metadata, transfer }: HdrFormat): ReadonlyArray<string> => {
  if (transfer !== "smpte2084" || metadata === undefined) return []
  const { blue, green, light, luminance, red, white } = metadata
  const point = ({ x, y }: { readonly x: number; readonly y: number }) => `(${x.toFixed(5)},${y.toFixed(5)})`
  const range = `L(${luminance.max.toFixed(4)},${luminance.min.toFixed(4)})`
  return [
    `mastering-display=G${point(green)}B${point(blue)}R${point(red)}WP${point(white)}${range}`,
    ...(light === undefined ? [] : [`content-light=${Math.round(light.content)},${Math.round(light.average)}`]),
  ]
}

/** Numbers of ISO/IEC 23091-2. */
const transferNumber = { smpte2084: 16, "arib-std-b67": 18 }

export const av1: VideoCodec = {
  id: "av1",
  encoder: av1Encoder,
  minSide: 64,
  maxSide: 8_192,
  costFactor: 4,
  bitrateFactor: 0.5,
  sampleEntry: "av01",
  configBox: "av1C",
  codecString: (config) => {
    const [second, third] = [config.getUint8(1), config.getUint8(2)]
    const tier = (third & 0x80) === 0 ? "M" : "H"
    const bits = (third & 0x40) === 0 ? "08" : (third & 0x20) === 0 ? "10" : "12"
    return `av01.${second >> 5}.${String(second & 0x1f).padStart(2, "0")}${tier}.${bits}`
  },
  encoderArgs: (stream, hdr) =>
    `-c${stream || ":v"} libsvtav1 -preset${stream} 9 -crf${stream} 36 -svtav1-params${stream} ${params(hdr)}`.split(
      " ",
    ),
  fixedGopArgs: () => [],
  closedGopArgs: () => [],
  sliceRanges: openBitstreamUnits,
  chunkArgs: (hdr) => ["-svtav1-params", `${params(hdr)}:lp=1`],
  // Not monochrome, 4:2:0, then primaries, transfer and matrix of BT.2100, and limited range.
  hdrCodecString: (codec, transfer) => `${codec}.0.110.09.${transferNumber[transfer]}.09.0`,
}
