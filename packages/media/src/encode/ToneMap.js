/**
 * HDR to SDR for an ffmpeg without `zscale`: a lookup table from coded HDR to coded SDR colours for `lut3d`, which every
 * ffmpeg has. It computes the same as the `zscale` and `tonemap` filters: the BT.2100 curves to linear light, BT.2020 to
 * BT.709 primaries, a curve that leaves colours up to the knee unchanged and compresses the rest up to a peak of 1000 nits,
 * and the gamma of BT.1886. The white of paper (203 nits, BT.2408) becomes almost the white of SDR.
 */
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { Effect, FileSystem, Path } from "effect";
export const fileName = "hdr.cube";
/** Whether the filters of this plan read the lookup table from ffmpeg's working folder. */
export const isNeeded = (plan) => plan.info.video?.hdr !== undefined && !plan.toneMapping;
/** Writes the lookup table to the working folder if the plan needs it. */
export const prepare = Effect.fnUntraced(function* (plan, folder) {
    const hdr = plan.info.video?.hdr;
    if (hdr === undefined || !isNeeded(plan))
        return;
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    yield* mapDiskErrors(fs.writeFileString(path.join(folder, fileName), cube(hdr)));
});
/** Steps along each axis. `lut3d` interpolates between them. */
const lutSize = 41;
/** The text of a `.cube` file, where red changes fastest. */
export const cube = (transfer) => {
    const lines = [`LUT_3D_SIZE ${lutSize}`];
    const at = Array.from({ length: lutSize }, (_, index) => index / (lutSize - 1));
    for (const blue of at)
        for (const green of at)
            for (const red of at) {
                const mapped = map(transfer, [red, green, blue]);
                lines.push(mapped.map((value) => value.toFixed(6)).join(" "));
            }
    return `${lines.join("\n")}\n`;
};
/** Maps a coded HDR colour to a coded SDR colour; components from 0 to 1. */
export const map = (transfer, coded) => {
    const light = toBt709(transfer === "smpte2084" ? pq(coded) : hlg(coded));
    const brightest = Math.max(...light, 1e-6);
    const scale = compress(brightest) / brightest;
    const [red, green, blue] = light;
    return [encodeGamma(red * scale), encodeGamma(green * scale), encodeGamma(blue * scale)];
};
/** The white of paper and of captions. */
export const whiteNits = 203;
const peakNits = 1000;
/** In units of the white. */
export const peakLuminance = peakNits / whiteNits;
/** Darker colours stay as they are. */
export const knee = 0.7;
const mapChannels = (of, [red, green, blue]) => [of(red), of(green), of(blue)];
const pq = (coded) => mapChannels((value) => {
    const root = value ** (1 / 78.84375);
    return ((10_000 / whiteNits) * (Math.max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125));
}, coded);
const hlg = (coded) => {
    const scene = mapChannels((value) => (value <= 0.5 ? value ** 2 / 3 : (Math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12), coded);
    // The system gamma per channel, like `zscale`: the colours must not depend on the machine that encodes.
    return mapChannels((value) => peakLuminance * value ** 1.2, scene);
};
const toBt709 = ([red, green, blue]) => [
    1.660491 * red - 0.587641 * green - 0.07285 * blue,
    -0.12455 * red + 1.1329 * green - 0.008349 * blue,
    -0.018151 * red - 0.100579 * green + 1.11873 * blue,
];
/** The `mobius` curve of ffmpeg's `tonemap`. */
const compress = (light) => {
    if (light <= knee)
        return light;
    const start = (-(knee ** 2) * (peakLuminance - 1)) / (knee ** 2 - 2 * knee + peakLuminance);
    const bend = (knee ** 2 - 2 * knee * peakLuminance + peakLuminance) / (peakLuminance - 1);
    return (((bend ** 2 + 2 * bend * knee + knee ** 2) / (bend - start)) * (light + start)) / (light + bend);
};
/** The gamma of BT.1886, like `zscale`. */
const encodeGamma = (light) => Math.min(1, Math.max(0, light)) ** (1 / 2.4);
