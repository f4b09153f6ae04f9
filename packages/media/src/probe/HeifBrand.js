/**
 * Detects HEIF photos, which use the box structure of MP4, by the brands in their first box. ffprobe's output for them
 * depends on its version: an error, a video of one second, or one stream for each tile of a phone's photo.
 */
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { Effect, FileSystem, Stream } from "effect";
const heifBrands = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"]);
/** Undefined if the file is not a HEIF photo. */
export const read = Effect.fn("HeifBrand.read")(function* (file) {
    const fs = yield* FileSystem.FileSystem;
    const chunks = yield* mapDiskErrors(Stream.runCollect(fs.stream(file, { bytesToRead: 64 })));
    return parse(Buffer.concat(chunks));
});
export const parse = (head) => {
    if (head.toString("latin1", 4, 8) !== "ftyp")
        return undefined;
    const end = Math.min(head.byteLength, head.readUInt32BE(0));
    const brands = [];
    // The major brand is followed by four bytes of version, then by the compatible brands.
    for (const at of [8, ...Array.from({ length: 12 }, (_, index) => 16 + index * 4)]) {
        if (at + 4 <= end)
            brands.push(head.toString("latin1", at, at + 4));
    }
    const [major = ""] = brands;
    if (major === "avif" || (major === "mif1" && brands.includes("avif")))
        return "avif";
    return heifBrands.has(major) ? "heif" : undefined;
};
