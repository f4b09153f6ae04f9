/** Decrypts segments by what their playlist says: whole ones here, samples in ffmpeg, which gets the key. */
import { createDecipheriv } from "node:crypto";
/** `keys` are in the order of their numbers, with which the addresses in playlists end. */
export const decrypted = ({ key, mediaSequenceNumber }, stored, keys) => {
    const content = keys[Number(/\/([0-9]+)$/.exec(key?.uri ?? "")?.[1])];
    if (key === undefined || key === null || content === undefined)
        return { bytes: stored, isEncrypted: false };
    if (key.method !== "AES-128")
        return {
            bytes: stored,
            isEncrypted: true,
            inputArgs: ["-decryption_key", Buffer.from(content).toString("hex")],
        };
    const vector = Buffer.alloc(16);
    vector.writeUInt32BE(mediaSequenceNumber, 12);
    const decipher = createDecipheriv("aes-128-cbc", content, key.iv === undefined ? vector : new Uint8Array(key.iv));
    return { bytes: Buffer.concat([decipher.update(stored), decipher.final()]), isEncrypted: true };
};
