/**
 * Reads the values for playlists from ffmpeg's fragmented MP4 output: the codec with its profile and level, and the exact
 * duration of a segment. It knows only the boxes that ffmpeg writes, so it must not read uploaded files.
 */
import { Schema } from "effect";
import { isAudioCodec, sampleEntries } from "../encode/codecs/Codecs.ts";
export const Track = Schema.Struct({
    /** The RFC 6381 codec string: `avc1.64001F`, `mp4a.40.2`. */
    codec: Schema.String,
    /** Ticks per second. */
    timescale: Schema.Int,
    /** Ticks of a sample for fragments without a duration. */
    sampleDuration: Schema.Int,
});
export const isAudio = ({ codec }) => isAudioCodec(codec);
/** The track of an initialisation segment; undefined if the codec is unknown or a box is missing. */
export const readInit = (bytes) => {
    const view = viewOf(bytes);
    const mdhd = find(view, ["moov", "trak", "mdia", "mdhd"]);
    const stsd = find(view, ["moov", "trak", "mdia", "minf", "stbl", "stsd"]);
    if (mdhd === undefined || stsd === undefined)
        return undefined;
    const timescale = mdhd.getUint32(mdhd.getUint8(0) === 1 ? 20 : 12);
    const trex = find(view, ["moov", "mvex", "trex"]);
    const sampleDuration = trex === undefined ? 0 : trex.getUint32(12);
    const codec = codecOf(subview(stsd, 8));
    return codec === undefined ? undefined : { codec, timescale, sampleDuration };
};
/** Seconds of a media segment: the sum of the durations of its samples. */
export const segmentSeconds = (bytes, track) => {
    let ticks = 0;
    for (const moof of boxes(viewOf(bytes))) {
        if (moof.type !== "moof")
            continue;
        for (const traf of boxes(moof.body)) {
            if (traf.type === "traf")
                ticks += trafTicks(traf.body, track.sampleDuration);
        }
    }
    return ticks / track.timescale;
};
/** The number of samples in a media segment. */
export const segmentFrames = (bytes) => {
    let frames = 0;
    for (const moof of boxes(viewOf(bytes))) {
        if (moof.type !== "moof")
            continue;
        for (const traf of boxes(moof.body)) {
            if (traf.type !== "traf")
                continue;
            for (const { body, type } of boxes(traf.body))
                if (type === "trun")
                    frames += body.getUint32(4);
        }
    }
    return frames;
};
/** The decode time of a media segment's first sample in seconds; undefined if it has no `tfdt`. A negative one is huge. */
export const segmentStart = (bytes, track) => {
    const tfdt = find(viewOf(bytes), ["moof", "traf", "tfdt"]);
    if (tfdt === undefined)
        return undefined;
    const ticks = tfdt.getUint8(0) === 1 ? Number(tfdt.getBigUint64(4)) : tfdt.getUint32(4);
    return ticks / track.timescale;
};
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const subview = (view, from) => new DataView(view.buffer, view.byteOffset + from, view.byteLength - from);
const fourCC = (view, at) => String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
function* boxes(view) {
    let at = 0;
    while (at + 8 <= view.byteLength) {
        const compactSize = view.getUint32(at);
        const isLarge = compactSize === 1 && at + 16 <= view.byteLength;
        // A size of 0 means up to the end.
        const size = isLarge ? Number(view.getBigUint64(at + 8)) : compactSize === 0 ? view.byteLength - at : compactSize;
        const headerBytes = isLarge ? 16 : 8;
        if (size < headerBytes || at + size > view.byteLength)
            return;
        yield {
            type: fourCC(view, at + 4),
            body: new DataView(view.buffer, view.byteOffset + at + headerBytes, size - headerBytes),
        };
        at += size;
    }
}
const find = (view, path) => {
    const [type, ...rest] = path;
    if (type === undefined)
        return view;
    for (const box of boxes(view))
        if (box.type === type)
            return find(box.body, rest);
    return undefined;
};
const codecOf = (entries) => {
    for (const { body, type } of boxes(entries)) {
        const known = sampleEntries.get(type);
        if (known === undefined)
            continue;
        const config = find(subview(body, known.headerBytes), [known.configBox]);
        return config === undefined ? undefined : known.codecString(config);
    }
    return undefined;
};
/** The duration of a fragment's track: of each sample in `trun`, else the default of `tfhd`, else that of `trex`. */
const trafTicks = (traf, trexDuration) => {
    let defaultDuration = trexDuration;
    let ticks = 0;
    for (const { type, body } of boxes(traf)) {
        if (type === "tfhd") {
            const flags = body.getUint32(0) & 0xffffff;
            const at = 8 + ((flags & 0x1) === 0 ? 0 : 8) + ((flags & 0x2) === 0 ? 0 : 4);
            if ((flags & 0x8) !== 0)
                defaultDuration = body.getUint32(at);
        }
        else if (type === "trun") {
            const flags = body.getUint32(0) & 0xffffff;
            const count = body.getUint32(4);
            if ((flags & 0x100) === 0) {
                ticks += count * defaultDuration;
                continue;
            }
            const stride = [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) !== 0).length * 4;
            let at = 8 + ((flags & 0x1) === 0 ? 0 : 4) + ((flags & 0x4) === 0 ? 0 : 4);
            for (let sample = 0; sample < count; sample++, at += stride)
                ticks += body.getUint32(at);
        }
    }
    return ticks;
};
