/**
 * A client that costs little, so that what is measured is the server: a plain TCP connection that speaks just enough
 * WebSocket to join, and counts frames without decoding them.
 */
import { createConnection } from "node:net";
import {} from "./Protocol.ts";
const paths = {
    armoricore: "/socket/websocket?vsn=2.0.0&token=",
    ws: "/socket/websocket?vsn=2.0.0&token=",
    "socket.io": "/socket.io/?EIO=4&transport=websocket&token=",
};
/** Resolves when the handshake is done. `source`: the address it comes from, since one has only so many ports. */
export const connect = (kind, port, token, source) => new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1", localAddress: source, noDelay: true });
    socket.on("error", reject);
    socket.write(`GET ${paths[kind]}${token} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    socket.once("data", (head) => {
        const end = head.indexOf("\r\n\r\n");
        if (!head.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101")) || end === -1) {
            socket.destroy();
            return reject(new Error(head.toString("latin1").slice(0, 300)));
        }
        resolve(counting(socket, head.subarray(end + 4)));
    });
});
const counting = (socket, rest) => {
    let frames = 0;
    /** Bytes of the current frame that are still to come. */
    let missing = 0;
    let part;
    let closed;
    let listener = () => { };
    const read = (data) => {
        const chunk = part === undefined ? data : Buffer.concat([part, data]);
        part = undefined;
        const before = frames;
        let at = 0;
        for (;;) {
            if (missing > chunk.length - at) {
                missing -= chunk.length - at;
                break;
            }
            at += missing;
            missing = 0;
            if (at === chunk.length)
                break;
            const size = sizeOf(chunk, at);
            if (size === undefined) {
                part = chunk.subarray(at);
                break;
            }
            if (chunk[at] === closeFrame && chunk.length - at >= 4)
                closed = chunk.readUInt16BE(at + 2);
            missing = size;
            frames++;
        }
        listener(data, frames - before);
    };
    if (rest.length > 0)
        read(rest);
    socket.on("data", read);
    socket.on("close", () => {
        closed ??= "none";
    });
    return {
        send: (text) => void socket.write(masked(text)),
        frames: () => frames,
        onData: (next) => {
            listener = next;
        },
        pause: () => void socket.pause(),
        resume: () => void socket.resume(),
        closeCode: () => closed,
        disconnect: () => socket.destroy(),
    };
};
const closeFrame = 0x88;
/** Header and payload together; `undefined`: the header is not whole yet. */
const sizeOf = (chunk, at) => {
    const short = (chunk[at + 1] ?? 128) & 127;
    if (chunk.length - at < 2)
        return undefined;
    if (short < 126)
        return 2 + short;
    if (short === 126)
        return chunk.length - at < 4 ? undefined : 4 + chunk.readUInt16BE(at + 2);
    return chunk.length - at < 10 ? undefined : 10 + Number(chunk.readBigUInt64BE(at + 2));
};
/** A client's frame: masked, here with zeros. */
const masked = (text) => {
    const length = Buffer.byteLength(text);
    const long = length > 125;
    const frame = Buffer.alloc((long ? 8 : 6) + length);
    frame[0] = 0x81;
    frame[1] = 0x80 | (long ? 126 : length);
    if (long)
        frame.writeUInt16BE(length, 2);
    frame.write(text, long ? 8 : 6);
    return frame;
};
