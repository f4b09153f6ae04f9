/**
 * The WebSocket transport. Outgoing frames bypass `ws` (see `SocketWriter`); `ws` handles incoming frames and the closing
 * handshake.
 */
import { WebSocket } from "ws";
import { SocketWriter } from "../SocketWriter.ts";
import { PingFrame } from "../OutgoingFrame.ts";
/** The WebSocket of a client. All share their listeners: closures of each would cost as much memory as its queue. */
export class ClientWebSocket extends WebSocket {
    receiver = undefined;
    transport = undefined;
    listen(receiver, transport) {
        this.receiver = receiver;
        this.transport = transport;
        this.on("message", onMessage).on("ping", onPing).on("pong", onPong).on("error", onError).on("close", onClose);
    }
}
const receiverOf = (ws) => (ws instanceof ClientWebSocket ? ws.receiver : undefined);
function onMessage(data, isBinary) {
    receiverOf(this)?.receive(toBuffer(data), isBinary);
}
function onPing() {
    receiverOf(this)?.onActivity();
}
function onPong() {
    receiverOf(this)?.onPong();
}
/** `ws` closes with the right code (1002, 1007, 1009); without a listener Node would throw the error. */
function onError() {
    if (this instanceof ClientWebSocket)
        this.transport?.discard();
}
function onClose() {
    receiverOf(this)?.onClosed();
}
export class WebSocketTransport extends SocketWriter {
    #ws;
    constructor(ws, wire, flusher, maxQueuedBytes, stallMillis) {
        super(wire, flusher, maxQueuedBytes, stallMillis);
        this.#ws = ws;
    }
    attach(receiver) {
        super.attach(receiver);
        const ws = this.#ws;
        ws.listen(receiver, this);
        if (ws.readyState === ws.CLOSED)
            receiver.onClosed();
    }
    ping() {
        this.send(new PingFrame());
    }
    pause() {
        this.#ws.pause();
    }
    resume() {
        this.#ws.resume();
    }
    /** `ws` enforces the close timeout. */
    close({ code, reason }) {
        this.flush();
        this.discard();
        this.#ws.close(code, reason);
    }
}
/** With the default `binaryType` a message is one buffer; the type of `ws` allows other forms too. */
const toBuffer = (data) => Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
