/** HEVC (H.265): two thirds of the bits of H.264. Apple's players and most televisions decode it, browsers in part. */
import { hevcEncoder } from "@armoricore/ffmpeg/FfmpegPrograms";
import { nalUnits } from "./SliceRanges.ts";
/** x265 takes its own options as one list. No information unit: it would name the encoder's settings in every stream. */
const params = "log-level=error:open-gop=0:scenecut=0:info=0";
export const hevc = {
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
    encoderArgs: (stream) => [
        ...`-c${stream || ":v"} libx265 -preset${stream} veryfast -crf${stream} 27 -profile${stream || ":v"} main`.split(" "),
        ...`-tag${stream || ":v"} hvc1 -x265-params${stream} ${params}`.split(" "),
    ],
    fixedGopArgs: () => [],
    closedGopArgs: (stream) => [`-forced-idr${stream}`, "1"],
    // Unit types below 32 (ITU-T H.265, table 7-1).
    sliceRanges: nalUnits((header) => (header & 0x7e) >> 1 < 32),
    chunkArgs: ["-x265-params", `${params}:pools=1:frame-threads=1`],
};
/** `hvc1.1.6.L93.90`, by ISO/IEC 14496-15, annex E. */
const hevcString = (config) => {
    const [first, level] = [config.getUint8(1), config.getUint8(12)];
    const space = ["", "A", "B", "C"][first >> 6] ?? "";
    const tier = (first & 0x20) === 0 ? "L" : "H";
    const compatibility = reverseBits(config.getUint32(2)).toString(16).toUpperCase();
    const constraints = Array.from({ length: 6 }, (_, index) => config.getUint8(6 + index));
    const used = constraints.slice(0, constraints.findLastIndex((byte) => byte !== 0) + 1);
    return [
        "hvc1",
        `${space}${first & 0x1f}`,
        compatibility,
        `${tier}${level}`,
        ...used.map((byte) => byte.toString(16).toUpperCase()),
    ].join(".");
};
const reverseBits = (value) => Array.from({ length: 32 }, (_, bit) => bit).reduce((sum, bit) => sum + ((value >>> bit) & 1) * 2 ** (31 - bit), 0);
