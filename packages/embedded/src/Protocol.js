/**
 * The messages between the engine's thread and its callers, over a MessagePort or a socket. Both directions carry
 * batches: an array of frames is one message. On the socket, a batch is a 4-byte length followed by V8's serialisation.
 */
import { deserialize, serialize } from "node:v8";
export const maxFrameBytes = 256 * 1024 * 1024;
export const encode = (batch) => {
    const body = serialize(batch);
    const frame = Buffer.allocUnsafe(4 + body.byteLength);
    frame.writeUInt32BE(body.byteLength);
    frame.set(body, 4);
    return frame;
};
/** Buffers chunks and emits whole batches; returns false if the peer does not speak this protocol. */
export const decoder = (onBatch) => {
    let chunks = [];
    let buffered = 0;
    let needed = 4;
    return (chunk) => {
        chunks.push(chunk);
        buffered += chunk.byteLength;
        // Joined only once a batch is complete: a large one would otherwise be copied with every chunk.
        while (buffered >= needed) {
            const joined = Buffer.concat(chunks);
            const length = joined.readUInt32BE(0);
            if (length > maxFrameBytes)
                return false;
            chunks = [joined];
            needed = 4 + length;
            if (buffered < needed)
                break;
            const batch = deserialize(joined.subarray(4, needed));
            if (!Array.isArray(batch))
                return false;
            chunks = [joined.subarray(needed)];
            buffered -= needed;
            needed = 4;
            onBatch(batch);
        }
        return true;
    };
};
