/** Adds CEA-608 captions to H.264 video, as broadcasters send them (ATSC A/53, part 4). */
/** A supplemental message: one pair of caption bytes for the first field. */
const captionUnit = Buffer.concat([
    Buffer.from([0, 0, 0, 1, 6, 4, 14, 0xb5, 0, 0x31]),
    Buffer.from("GA94"),
    Buffer.from([3, 0xc1, 0xff, 0xfc, 0x94, 0x2c, 0xff, 0x80]),
]);
/** Puts a caption unit before every frame of an Annex B stream with one slice per frame. */
export const withCaptions = (stream) => {
    const bytes = Buffer.from(stream);
    const parts = [];
    let from = 0;
    for (let at = bytes.indexOf("000001", 0, "hex"); at >= 0; at = bytes.indexOf("000001", at + 3, "hex")) {
        const unitType = (bytes[at + 3] ?? 0) & 31;
        if (unitType !== 1 && unitType !== 5)
            continue;
        parts.push(bytes.subarray(from, at), captionUnit);
        from = at;
    }
    return Buffer.concat([...parts, bytes.subarray(from)]);
};
