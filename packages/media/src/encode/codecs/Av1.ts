/** AV1: half of the bits of H.264. Current browsers, phones and televisions decode it. */
import { av1Encoder } from "@armoricore/ffmpeg/FfmpegPrograms"
import { openBitstreamUnits } from "./SliceRanges.ts"
import type { VideoCodec } from "./VideoCodec.ts"

const params = "scd=0:irefresh-type=2"

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
  encoderArgs: (stream) =>
    `-c${stream || ":v"} libsvtav1 -preset${stream} 9 -crf${stream} 36 -svtav1-params${stream} ${params}`.split(" "),
  fixedGopArgs: () => [],
  closedGopArgs: () => [],
  sliceRanges: openBitstreamUnits,
  chunkArgs: ["-svtav1-params", `${params}:lp=1`],
}
