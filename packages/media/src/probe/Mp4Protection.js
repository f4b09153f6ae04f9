/**
 * Finds encrypted tracks in MP4 and MOV files by their sample entries. ffprobe reports the codec of such a track as if it
 * were readable.
 */
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { Effect, FileSystem, Stream } from "effect";
/** `drms`, `drmi` and `p608` are those of FairPlay. */
const protectedEntries = new Set(["encv", "enca", "encs", "enct", "drms", "drmi", "p608"]);
/** The index of a video of half a day. */
const maxIndexBytes = 64e6;
/** Boxes at the top of a file before its index; a fragmented file begins with the index. */
const maxBoxes = 64;
/** False for other files. */
export const isProtected = Effect.fn("Mp4Protection.isProtected")(function* (file) {
    const fs = yield* FileSystem.FileSystem;
    const read = (offset, bytesToRead) => mapDiskErrors(Stream.runCollect(fs.stream(file, { offset, bytesToRead }))).pipe(Effect.map((chunks) => Buffer.concat(chunks)));
    let at = 0;
    for (let box = 0; box < maxBoxes; box++) {
        const header = yield* read(at, 16);
        if (header.byteLength < 16)
            return false;
        const type = header.toString("latin1", 4, 8);
        if (box === 0 && type !== "ftyp" && type !== "moov")
            return false;
        const compactSize = header.readUInt32BE(0);
        const size = compactSize === 1 ? Number(header.readBigUInt64BE(8)) : compactSize;
        if (size < 8)
            return false;
        if (type === "moov")
            return size <= maxIndexBytes && hasProtectedEntry(yield* read(at, size));
        at += size;
    }
    return false;
});
/** Looks at the first entry of every sample description (`stsd`): a track has one entry, or several of the same kind. */
export const hasProtectedEntry = (index) => {
    for (let at = index.indexOf("stsd", 0, "latin1"); at >= 0; at = index.indexOf("stsd", at + 4, "latin1")) {
        // After the type: version and flags, the number of entries, and the size of the first entry.
        if (protectedEntries.has(index.toString("latin1", at + 16, at + 20)))
            return true;
    }
    return false;
};
