/** H.264: every player decodes it. */
import { h264Encoder } from "@armoricore/ffmpeg/FfmpegPrograms"
import { nalUnits } from "./SliceRanges.ts"
import type { VideoCodec } from "./VideoCodec.ts"

export const h264: VideoCodec = {
  id: "h264",
  encoder: h264Encoder,
  minSide: 2,
  maxSide: 16_384,
  costFactor: 1,
  bitrateFactor: 1,
  sampleEntry: "avc1",
  configBox: "avcC",
  // Profile, constraint flags and level: the three bytes after the version (ISO/IEC 14496-15).
  // Chromium takes the number of level 1b, 9, for a fault; 1.1 (11) contains it.
  codecString: (config) =>
    `avc1.${hex(config.getUint8(1))}${hex(config.getUint8(2))}${hex(config.getUint8(3) === 9 ? 11 : config.getUint8(3))}`,
  encoderArgs: (stream) =>
    // The captions of broadcasts would be copied into the pictures, where the playlists do not declare them.
    `-c${stream || ":v"} libx264 -preset${stream} veryfast -crf${stream} 23 -profile${stream || ":v"} high -a53cc${stream} 0`.split(
      " ",
    ),
  fixedGopArgs: (stream) => [`-sc_threshold${stream}`, "0"],
  closedGopArgs: (stream) => [`-forced-idr${stream}`, "1"],
  chunkArgs: () => ["-x264-params", "stitchable=1"],
  // Unit types 1 to 5 (ITU-T H.264, table 7-1).
  sliceRanges: nalUnits((header) => (header & 0x1f) >= 1 && (header & 0x1f) <= 5),
  passthrough: {
    profiles: ["Constrained Baseline", "Main", "High"],
    maxLevel: 42,
    pixelFormat: "yuv420p",
    idrUnits: "5",
    parameterSetUnits: "7-8",
    captionUnits: "6",
  },
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0").toUpperCase()
