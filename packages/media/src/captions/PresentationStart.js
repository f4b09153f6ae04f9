/**
 * The presentation time of the first frame (or audio sample) of a stream: the decode time of its first segment, plus the
 * composition offset of the first sample, minus the offset of the edit list, which players apply. Captions count from it.
 */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Effect, Stream } from "effect";
/** Of a stored track; 0 if it cannot be read. The boxes are at the beginning of both files. */
export const read = Effect.fn("PresentationStart.read")(function* (bucket, init, segment) {
    const storage = yield* ObjectStorage;
    const head = (key) => storage.get({ bucket, key }, { start: 0, end: 65_535 }).pipe(Effect.flatMap(({ body }) => Stream.runCollect(body)), Effect.map((pieces) => Buffer.concat([...pieces])), Effect.catchTag("NotFound", () => Effect.succeed(undefined)));
    const [initBytes, segmentBytes] = [yield* head(init), yield* head(segment)];
    return initBytes === undefined || segmentBytes === undefined ? 0 : (presentationStart(initBytes, segmentBytes) ?? 0);
});
/** Seconds, from the initialisation segment and the first segment. Undefined if a box is missing. */
export const presentationStart = (init, segment) => {
    const mdhd = box(init, "mdhd");
    const tfdt = box(segment, "tfdt");
    if (mdhd === undefined || tfdt === undefined)
        return undefined;
    const timescale = mdhd.getUint32(mdhd.getUint8(0) === 1 ? 20 : 12);
    const decode = tfdt.getUint8(0) === 1 ? Number(tfdt.getBigUint64(4)) : tfdt.getUint32(4);
    return Math.max(0, decode + compositionOffset(box(segment, "trun")) - editListOffset(box(init, "elst"))) / timescale;
};
/** The composition offset of the first sample, a key frame, which is also the first in presentation order. */
const compositionOffset = (trun) => {
    if (trun === undefined)
        return 0;
    const flags = trun.getUint32(0) & 0xffffff;
    if ((flags & 0x800) === 0 || trun.getUint32(4) === 0)
        return 0;
    const optional = [0x1, 0x4, 0x100, 0x200, 0x400].filter((flag) => (flags & flag) !== 0).length;
    return trun.getUint8(0) === 0 ? trun.getUint32(8 + optional * 4) : trun.getInt32(8 + optional * 4);
};
/** The ticks that an edit list of one entry removes from the start. */
const editListOffset = (elst) => {
    if (elst === undefined || elst.getUint32(4) !== 1)
        return 0;
    return elst.getUint8(0) === 1 ? Number(elst.getBigInt64(16)) : elst.getInt32(12);
};
/** The body of the first box of this type. In ffmpeg's headers the letters occur nowhere before the box. */
const box = (bytes, name) => {
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(name, 4, "latin1");
    if (at < 4)
        return undefined;
    const size = new DataView(bytes.buffer, bytes.byteOffset + at - 4, 4).getUint32(0);
    if (size < 8 || at - 4 + size > bytes.byteLength)
        return undefined;
    return new DataView(bytes.buffer, bytes.byteOffset + at + 4, size - 8);
};
