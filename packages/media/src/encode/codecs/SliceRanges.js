/**
 * The parts of a coded frame that `cbcs` encrypts: its slices or tiles, without their headers, which decoders read before
 * they decrypt. A fixed number of bytes at the start stays clear, more than the headers of the encoders and of usual sources
 * have. Shorter slices stay clear: they describe that nothing moves.
 */
const clearBytes = 128;
const after = (start, end) => end - start < clearBytes + 16 ? [] : [{ start: start + clearBytes, end }];
/** H.264 and HEVC: units behind a length of four bytes. `isSlice` gets the first byte of the unit. */
export const nalUnits = (isSlice) => (sample) => {
    const view = new DataView(sample.buffer, sample.byteOffset, sample.byteLength);
    const ranges = [];
    for (let at = 0; at + 5 <= sample.byteLength;) {
        const start = at + 4;
        const end = Math.min(sample.byteLength, start + view.getUint32(at));
        if (isSlice(view.getUint8(start)))
            ranges.push(...after(start, end));
        at = Math.max(end, start + 1);
    }
    return ranges;
};
const obuType = { tileGroup: 4, frame: 6 };
/** AV1: open bitstream units, with a size in LEB128 except for the last one. */
export const openBitstreamUnits = (sample) => {
    const ranges = [];
    for (let at = 0; at < sample.byteLength;) {
        const header = sample[at] ?? 0;
        let start = at + ((header & 0x4) === 0 ? 1 : 2);
        let size = sample.byteLength - start;
        if ((header & 0x2) !== 0) {
            size = 0;
            for (let shift = 0, byte = 0x80; (byte & 0x80) !== 0 && start < sample.byteLength; shift += 7) {
                byte = sample[start++] ?? 0;
                size += (byte & 0x7f) * 2 ** shift;
            }
        }
        const end = Math.min(sample.byteLength, start + size);
        const type = (header >> 3) & 0xf;
        if (type === obuType.frame || type === obuType.tileGroup)
            ranges.push(...after(start, end));
        at = Math.max(end, at + 1);
    }
    return ranges;
};
