/** Changes in the boxes of an MP4 whose index is at its end, so that the offsets of samples stay right. */
/** Sets the display matrix of the first track: `a b 0 c d`. */
export const withMatrix = (file, [a, b, c, d]) => {
    const mp4 = Buffer.from(file);
    const matrix = mp4.indexOf("tkhd") + 4 + 40;
    for (const [index, value] of [a, b, 0, c, d].entries())
        mp4.writeInt32BE(Math.round(value * 65536), matrix + index * 4);
    return mp4;
};
const turns = [
    [1, 0, 0, 1],
    [0, 1, -1, 0],
    [-1, 0, 0, -1],
    [0, -1, 1, 0],
];
export const rotate = (file, quarters) => withMatrix(file, turns[quarters] ?? turns[0]);
/** Replaces the type of the first box of this type in the index. */
export const renameBox = (file, from, to) => {
    const mp4 = Buffer.from(file);
    mp4.write(to, mp4.indexOf(from, mp4.indexOf("moov", 0, "latin1"), "latin1"), "latin1");
    return mp4;
};
/** Appends a box to the sample entry of this type. */
export const appendToEntry = (file, entry, box) => {
    const mp4 = Buffer.from(file);
    const start = mp4.indexOf(entry, mp4.indexOf("stsd", 0, "latin1"), "latin1") - 4;
    const end = start + mp4.readUInt32BE(start);
    for (const parent of [entry, "stsd", "stbl", "minf", "mdia", "trak", "moov"]) {
        const at = mp4.lastIndexOf(parent, start + 4, "latin1") - 4;
        mp4.writeUInt32BE(mp4.readUInt32BE(at) + box.byteLength, at);
    }
    return Buffer.concat([mp4.subarray(0, end), box, mp4.subarray(end)]);
};
