/**
 * The `cbcs` scheme of Common Encryption (ISO/IEC 23001-7) for the CMAF segments of ffmpeg's packager, which itself has only
 * `cenc`. Of each slice one block of 16 bytes in ten is encrypted, of audio every whole block, all with the constant vector
 * of the key. Sizes and times of samples do not change.
 */
import { createCipheriv, createHash } from "node:crypto";
import { box, children, fullBox, uint32 } from "../packaging/Boxes.ts";
import { samplesOf } from "../packaging/Fragments.ts";
const blockBytes = 16;
/** One block is encrypted, nine are not. */
const pattern = { crypt: 1, skip: 9 };
const periodBytes = (pattern.crypt + pattern.skip) * blockBytes;
/** The size of the information about one sample is a byte. */
const maxSubsamples = 40;
const maxClearBytes = 0xffff;
/** Public, and the same for all keys of a stream: its key ids. */
const vectorOf = ([first = ""]) => createHash("sha256").update(`cbcs ${first}`).digest().subarray(0, blockBytes);
/** Declares the key in an initialisation segment. `keyIds` are those of the whole stream. Undefined: a box is missing. */
export const protectInit = (init, key, keyIds, isAudio) => {
    const entries = change(init, ["moov", "trak", "mdia", "minf", "stbl", "stsd"], (stsd) => {
        const [entry] = children(stsd.subarray(8));
        if (entry === undefined)
            return undefined;
        const sinf = box("sinf", [
            box("frma", [Buffer.from(entry.type, "latin1")]),
            fullBox("schm", 0, 0, Buffer.from("cbcs", "latin1"), uint32(0x10000)),
            box("schi", [fullBox("tenc", 1, 0, Buffer.from([0]), encryption(key, keyIds, isAudio))]),
        ]);
        return Buffer.concat([stsd.subarray(0, 8), box(isAudio ? "enca" : "encv", [entry.body, sinf])]);
    });
    return entries === undefined
        ? undefined
        : change(entries, ["moov"], (moov) => Buffer.concat([moov, systemHeader(keyIds)]));
};
/** The fields that `tenc` and an entry of `seig` share. */
const encryption = (key, keyIds, isAudio) => Buffer.concat([
    Buffer.from([isAudio ? 0 : (pattern.crypt << 4) | pattern.skip, 1, 0]),
    Buffer.from(key.id, "hex"),
    Buffer.from([blockBytes]),
    vectorOf(keyIds),
]);
/** The common system: it names the keys for browsers that ask for them by the initialisation segment. */
const systemHeader = (keyIds) => fullBox("pssh", 1, 0, Buffer.from("1077efecc0b24d02ace33c1e52e2fb4b", "hex"), uint32(keyIds.length), ...keyIds.map((id) => Buffer.from(id, "hex")), uint32(0));
/** Replaces the body of the box at a path. */
const change = (bytes, [type, ...rest], edit) => {
    const found = children(bytes).find((child) => child.type === type);
    if (found === undefined || type === undefined)
        return undefined;
    const body = rest.length === 0 ? edit(found.body) : change(found.body, rest, edit);
    return body === undefined
        ? undefined
        : Buffer.concat([bytes.subarray(0, found.start), box(type, [body]), bytes.subarray(found.end)]);
};
/**
 * Encrypts the samples of a segment. The initialisation segment declares the first key of `keyIds`; any other one is declared
 * in each fragment. Undefined: the structure is not that of the packager.
 */
export const protectSegment = (segment, key, keyIds, rangesOf) => {
    const bytes = Buffer.from(segment);
    const out = [];
    for (const child of children(bytes)) {
        // It describes sizes that change, and playlists and manifests do not need it.
        if (child.type === "sidx")
            continue;
        if (child.type !== "moof") {
            out.push(bytes.subarray(child.start, child.end));
            continue;
        }
        const moof = protectFragment(bytes, child, key, keyIds, rangesOf);
        if (moof === undefined)
            return undefined;
        out.push(moof);
    }
    return Buffer.concat(out);
};
/** Encrypts the samples in place, and returns the new header. */
const protectFragment = (bytes, moof, key, keyIds, rangesOf) => {
    const traf = children(moof.body).find(({ type }) => type === "traf");
    const table = traf === undefined ? undefined : samplesOf(traf.body, 0);
    if (traf === undefined || table === undefined)
        return undefined;
    const vector = vectorOf(keyIds);
    const entries = [];
    let at = moof.start + table.dataOffset;
    for (const { size } of table.samples) {
        const sample = bytes.subarray(at, at + size);
        at += size;
        if (sample.byteLength < size)
            return undefined;
        if (rangesOf === undefined)
            encryptBlocks(sample, 0, size, blockBytes, key.key, vector);
        else {
            const ranges = rangesOf(sample).slice(0, maxSubsamples);
            for (const { end, start } of ranges)
                encryptBlocks(sample, start, end, periodBytes, key.key, vector);
            entries.push(subsamples(ranges, size));
        }
    }
    const count = uint32(table.samples.length);
    const senc = fullBox("senc", 0, rangesOf === undefined ? 0 : 2, count, ...entries);
    const sizes = Buffer.from(entries.map(({ byteLength }) => byteLength));
    const build = (shift, sencAt) => {
        const boxes = children(traf.body).map((child) => child.type === "trun" ? shifted(child.body, shift) : traf.body.subarray(child.start, child.end));
        const information = rangesOf === undefined
            ? [senc]
            : [
                senc,
                fullBox("saiz", 0, 0, Buffer.from([0]), count, sizes),
                fullBox("saio", 0, 0, uint32(1), uint32(sencAt)),
            ];
        const group = key.id === keyIds[0]
            ? []
            : [
                fullBox("sgpd", 1, 0, ...seig(key, keyIds, rangesOf === undefined)),
                fullBox("sbgp", 0, 0, Buffer.from("seig", "latin1"), uint32(1), count, uint32(0x10001)),
            ];
        return box("moof", [
            moof.body.subarray(0, traf.start),
            box("traf", [...boxes, ...information, ...group]),
            moof.body.subarray(traf.end),
        ]);
    };
    // The boxes of `traf` come before `senc`, whose entries follow its version, flags and count.
    const sencAt = 8 + traf.start + 8 + traf.body.byteLength + 16;
    return build(build(0, sencAt).byteLength - (moof.end - moof.start), sencAt);
};
/** The run with its data that many bytes later. */
const shifted = (trun, shift) => {
    const body = Buffer.from(trun);
    body.writeInt32BE(body.readInt32BE(8) + shift, 8);
    return box("trun", [body]);
};
const seig = (key, keyIds, isAudio) => {
    const entry = Buffer.concat([Buffer.from([0]), encryption(key, keyIds, isAudio)]);
    return [Buffer.from("seig", "latin1"), uint32(entry.byteLength), uint32(1), entry];
};
/** Pairs of clear and encrypted bytes over the whole sample. */
const subsamples = (ranges, size) => {
    const pairs = [];
    const add = (clear, encrypted) => {
        for (let rest = clear;; rest -= maxClearBytes) {
            if (rest <= maxClearBytes)
                return void pairs.push([rest, encrypted]);
            pairs.push([maxClearBytes, 0]);
        }
    };
    let at = 0;
    for (const { end, start } of ranges) {
        add(start - at, end - start);
        at = end;
    }
    if (at < size)
        add(size - at, 0);
    const bytes = Buffer.alloc(2 + pairs.length * 6);
    bytes.writeUInt16BE(pairs.length, 0);
    for (const [index, [clear, encrypted]] of pairs.entries()) {
        bytes.writeUInt16BE(clear, 2 + index * 6);
        bytes.writeUInt32BE(encrypted, 4 + index * 6);
    }
    return bytes;
};
/** Encrypts the first whole block of each `period` bytes; a rest of less than a block stays clear. */
const encryptBlocks = (sample, start, end, period, key, vector) => {
    const count = end - start < blockBytes ? 0 : Math.floor((end - start - blockBytes) / period) + 1;
    const cipher = createCipheriv("aes-128-cbc", key, vector).setAutoPadding(false);
    if (period === blockBytes) {
        sample.set(cipher.update(sample.subarray(start, start + count * blockBytes)), start);
        return;
    }
    const blocks = Buffer.allocUnsafe(count * blockBytes);
    for (let index = 0; index < count; index++)
        sample.copy(blocks, index * blockBytes, start + index * period, start + index * period + blockBytes);
    const encrypted = cipher.update(blocks);
    for (let index = 0; index < count; index++)
        encrypted.copy(sample, start + index * period, index * blockBytes, (index + 1) * blockBytes);
};
