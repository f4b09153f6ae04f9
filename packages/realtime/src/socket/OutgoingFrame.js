export class OutgoingFrame {
    body;
    /** Dropped first for a slow client. */
    droppable;
    /** Sent in place of this frame if it was dropped, once the queue has room. */
    snapshot;
    /** The topic whose history has this message. For a slow client it may be dropped; the client joins the topic again. */
    replayableTopic;
    #wireBytes;
    constructor(body, droppable, snapshot, replayableTopic) {
        this.body = body;
        this.droppable = droppable;
        this.snapshot = snapshot;
        this.replayableTopic = replayableTopic;
    }
    get wireBytes() {
        return (this.#wireBytes ??= encodeWebSocketFrame(this.body));
    }
}
/** A WebSocket ping, for transports that send `wireBytes`. */
export class PingFrame extends OutgoingFrame {
    constructor() {
        super("", false);
    }
    get wireBytes() {
        return pingBytes;
    }
}
const pingBytes = Buffer.of(0x89, 0);
const finalText = 0x81;
const finalBinary = 0x82;
/** One WebSocket frame. */
export const encodeWebSocketFrame = (body) => {
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    const bytes = Buffer.allocUnsafe(header + length);
    bytes[0] = typeof body === "string" ? finalText : finalBinary;
    if (header === 2)
        bytes[1] = length;
    else if (header === 4) {
        bytes[1] = 126;
        bytes.writeUInt16BE(length, 2);
    }
    else {
        bytes[1] = 127;
        bytes.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
        bytes.writeUInt32BE(length % 2 ** 32, 6);
    }
    if (typeof body === "string")
        bytes.write(body, header, "utf8");
    else
        bytes.set(body, header);
    return bytes;
};
