/** Reads and writes the boxes of ISO base media files (ISO/IEC 14496-12), of the sizes that ffmpeg's packager writes. */
/** The boxes in these bytes, up to the first that is not complete. */
export const children = (bytes) => {
    const view = viewOf(bytes);
    const boxes = [];
    for (let start = 0; start + 8 <= bytes.byteLength;) {
        const size = view.getUint32(start);
        if (size < 8 || start + size > bytes.byteLength)
            break;
        const type = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
        boxes.push({ type, start, end: start + size, body: bytes.subarray(start + 8, start + size) });
        start += size;
    }
    return boxes;
};
export const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
export const flagsOf = (body) => viewOf(body).getUint32(0) & 0xffffff;
export const uint32 = (value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value >>> 0);
    return bytes;
};
export const uint64 = (value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
};
export const box = (type, parts) => {
    const size = parts.reduce((sum, { byteLength }) => sum + byteLength, 8);
    return Buffer.concat([uint32(size), Buffer.from(type, "latin1"), ...parts]);
};
export const fullBox = (type, version, flags, ...parts) => box(type, [uint32(version * 2 ** 24 + flags), ...parts]);
