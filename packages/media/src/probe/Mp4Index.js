/**
 * Lists the packets of an MP4 or MOV file by its sample tables, in milliseconds; a scan of the packets reads the whole
 * file. Only a plain file is listed: complete up to its last byte, without fragments, and with at most one edit per track,
 * which begins at a sample and hides no end. ffmpeg derives other timestamps from everything else.
 */
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { Effect, FileSystem, Stream } from "effect";
/** The index of a video of half a day. */
const maxIndexBytes = 64e6;
/** Boxes at the top of a file. Files with more are fragmented. */
const maxBoxes = 64;
/** Frames of half a day at 60 frames a second. */
const maxFrames = 3e6;
/** Seconds; edits are rounded to the ticks of the movie, usually milliseconds. */
const maxRounding = 0.002;
/** The packets of the video in file order, and one packet for all audio of a track. Undefined: the file must be scanned. */
export const read = Effect.fn("Mp4Index.read")(function* (file, tracks) {
    const fs = yield* FileSystem.FileSystem;
    const bytesAt = (offset, bytesToRead) => mapDiskErrors(Stream.runCollect(fs.stream(file, { offset, bytesToRead }))).pipe(Effect.map((chunks) => Buffer.concat(chunks)));
    const end = Number((yield* mapDiskErrors(fs.stat(file))).size);
    const data = [];
    let index;
    let at = 0;
    for (let box = 0; at < end; box++) {
        const header = yield* bytesAt(at, 16);
        const { size, type } = readHeader(header);
        if (box >= maxBoxes || size < 8 || at + size > end || type === "moof")
            return undefined;
        if (type === "mdat")
            data.push([at, at + size]);
        if (type === "moov") {
            if (index !== undefined || size > maxIndexBytes)
                return undefined;
            index = (yield* bytesAt(at, size)).subarray(8);
        }
        at += size;
    }
    return index === undefined ? undefined : listPackets(index, data, tracks);
});
const listPackets = (moov, data, tracks) => {
    const movieScale = timescaleOf(child(moov, "mvhd"));
    if (movieScale === undefined || child(moov, "mvex") !== undefined)
        return undefined;
    const traks = [...boxes(moov)].filter(({ type }) => type === "trak");
    const packets = [];
    for (const { id, index } of tracks) {
        const trak = traks.find(({ body }) => trackId(child(body, "tkhd")) === id)?.body;
        const listed = trak === undefined ? undefined : listTrack(trak, index, movieScale, data);
        if (listed === undefined)
            return undefined;
        for (const packet of listed)
            packets.push(packet);
    }
    return packets;
};
const listTrack = (trak, track, movieScale, data) => {
    const media = child(trak, "mdia");
    const scale = timescaleOf(child(media, "mdhd"));
    const tables = child(child(media, "minf"), "stbl");
    const edit = readEdit(child(child(trak, "edts"), "elst"), movieScale);
    const durations = entries(child(tables, "stts"), 8, (table, at) => [
        table.readUInt32BE(at),
        table.readUInt32BE(at + 4),
    ]);
    const offsets = entries(child(tables, "stco"), 4, (table, at) => table.readUInt32BE(at)) ??
        entries(child(tables, "co64"), 8, (table, at) => Number(table.readBigUInt64BE(at)));
    const sizes = child(tables, "stsz");
    const compositions = child(tables, "ctts");
    if (scale === undefined || edit === undefined || durations === undefined || offsets === undefined)
        return undefined;
    const samples = durations.reduce((sum, [count]) => sum + count, 0);
    const isComplete = sizes !== undefined && sizes.byteLength >= 12 && sizes.readUInt32BE(8) === samples && samples > 0;
    const areRegular = durations.every(([, delta]) => delta > 0 && delta < 2 ** 31);
    const areStored = offsets.every((offset) => data.some(([from, to]) => offset >= from && offset < to));
    if (!isComplete || !areRegular || !areStored)
        return undefined;
    const { start = 0 } = edit;
    const kind = child(media, "hdlr")?.toString("latin1", 8, 12);
    if (kind === "soun" && compositions === undefined) {
        const ticks = durations.reduce((sum, [count, delta]) => sum + count * delta, 0);
        const length = (ticks - start) / scale;
        return length > 0 && length <= edit.seconds + maxRounding
            ? [{ track, pts: edit.delay, dts: edit.delay, length, isHidden: false }]
            : undefined;
    }
    const frames = kind === "vide" && samples <= maxFrames ? frameTimes(durations, compositions) : undefined;
    // An edit that begins between two frames would move all of them.
    const isAligned = edit.start === undefined || frames?.some(({ shown }) => shown === start) === true;
    if (frames === undefined || !isAligned)
        return undefined;
    const end = frames.reduce((latest, { delta, shown }) => Math.max(latest, shown + delta), 0);
    if ((end - start) / scale > edit.seconds + maxRounding)
        return undefined;
    return frames.map(({ decoded, delta, shown }) => ({
        track,
        pts: roundMicros(edit.delay + (shown - start) / scale),
        dts: roundMicros(edit.delay + (decoded - start) / scale),
        length: roundMicros(delta / scale),
        isHidden: edit.start !== undefined && shown < start,
    }));
};
/** As ffprobe prints them: the distances of frames are then averaged in the same way. */
const roundMicros = (seconds) => Math.round(seconds * 1e6) / 1e6;
const frameTimes = (durations, table) => {
    const compositions = entries(table, 8, (bytes, at) => [bytes.readUInt32BE(at), bytes.readInt32BE(at + 4)]) ?? [];
    const frames = [];
    let decoded = 0;
    let run = 0;
    let left = compositions[0]?.[0] ?? 0;
    for (const [count, delta] of durations) {
        for (let sample = 0; sample < count; sample++, decoded += delta, left--) {
            while (left === 0 && run < compositions.length)
                left = compositions[++run]?.[0] ?? 0;
            frames.push({ decoded, delta, shown: decoded + (compositions[run]?.[1] ?? 0) });
        }
    }
    return frames;
};
/** An empty edit is a delay. Undefined if there are more edits than one of each, or another speed. */
const readEdit = (table, movieScale) => {
    if (table === undefined)
        return { start: undefined, delay: 0, seconds: Number.POSITIVE_INFINITY };
    const isLong = table[0] === 1;
    const edits = entries(table, isLong ? 20 : 12, (bytes, at) => ({
        seconds: (isLong ? Number(bytes.readBigUInt64BE(at)) : bytes.readUInt32BE(at)) / movieScale,
        start: isLong ? Number(bytes.readBigInt64BE(at + 8)) : bytes.readInt32BE(at + 4),
        speed: bytes.readInt32BE(at + (isLong ? 16 : 8)),
    }));
    const [first, second] = edits ?? [];
    const hasDelay = first?.start === -1;
    const edit = hasDelay ? second : first;
    if (edit === undefined || edit.start < 0 || edit.speed !== 0x10000)
        return undefined;
    if (edits?.length !== (hasDelay ? 2 : 1))
        return undefined;
    return {
        start: edit.start,
        delay: hasDelay ? first.seconds : 0,
        seconds: edit.seconds === 0 ? Number.POSITIVE_INFINITY : edit.seconds,
    };
};
/** The size is 0 if the header is incomplete or states none. */
const readHeader = (bytes) => {
    if (bytes.byteLength < 8)
        return { type: "", size: 0, headerBytes: 8 };
    const type = bytes.toString("latin1", 4, 8);
    const size = bytes.readUInt32BE(0);
    if (size !== 1)
        return { type, size, headerBytes: 8 };
    return { type, size: bytes.byteLength < 16 ? 0 : Number(bytes.readBigUInt64BE(8)), headerBytes: 16 };
};
function* boxes(parent) {
    let at = 0;
    while (at < parent.byteLength) {
        const { headerBytes, size, type } = readHeader(parent.subarray(at, at + 16));
        if (size < headerBytes || at + size > parent.byteLength)
            return;
        yield { type, body: parent.subarray(at + headerBytes, at + size) };
        at += size;
    }
}
const child = (parent, type) => {
    if (parent === undefined)
        return undefined;
    for (const box of boxes(parent))
        if (box.type === type)
            return box.body;
    return undefined;
};
/** The entries of a table with a version, flags and a count before them; undefined if it has fewer than it states. */
const entries = (table, bytes, entry) => {
    const count = table === undefined || table.byteLength < 8 ? 0 : table.readUInt32BE(4);
    return table === undefined || count === 0 || table.byteLength < 8 + count * bytes
        ? undefined
        : Array.from({ length: count }, (_, index) => entry(table, 8 + index * bytes));
};
/** Version 1 of a header has two long times at its start. */
const fieldAfterTimes = (header) => {
    const at = header?.[0] === 1 ? 20 : 12;
    return header === undefined || header.byteLength < at + 4 ? undefined : header.readUInt32BE(at);
};
const trackId = fieldAfterTimes;
const timescaleOf = (header) => {
    const scale = fieldAfterTimes(header);
    return scale === 0 ? undefined : scale;
};
