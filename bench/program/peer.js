/**
 * A chat room without anything else, for comparison: each message is numbered, encoded once, sent to all, and answered.
 *
 * - `ws`: each frame is written to each socket by `ws`;
 * - `limit`: the frames of one turn of the event loop are one write to each socket, past `ws`, and a flush begins no sooner
 *   than the last one took after its end, at most 20 ms.
 */
import { createServer } from "node:http";
import { encodeWebSocketFrame } from "@armoricore/realtime/socket/OutgoingFrame";
import { WebSocketServer } from "ws";
const isLimit = process.argv[2] === "limit";
const server = createServer();
const accepted = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
const sockets = new Map();
let sequence = 0;
let frames = [];
const replies = new Map();
let isScheduled = false;
let notBefore = 0;
const flush = () => {
    isScheduled = false;
    const from = performance.now();
    const bytes = Buffer.concat(frames);
    frames = [];
    for (const wire of sockets.values()) {
        const own = replies.get(wire);
        wire.write(own === undefined ? bytes : Buffer.concat([bytes, ...own]));
    }
    replies.clear();
    const now = performance.now();
    notBefore = now + Math.min(20, now - from);
};
const schedule = () => {
    if (isScheduled)
        return;
    isScheduled = true;
    const wait = notBefore - performance.now();
    if (wait > 0)
        setTimeout(flush, wait);
    else
        setImmediate(flush);
};
const onMessage = (socket, wire, text) => {
    const [joinRef, ref, topic, event, body] = JSON.parse(text);
    const answer = (response) => JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response }]);
    if (event !== "new_message")
        return socket.send(answer({}));
    const message = {
        id: crypto.randomUUID(),
        content: body.content,
        user_id: "user-1",
        room_id: "bench",
        timestamp: new Date().toISOString(),
        seq: ++sequence,
    };
    const frame = JSON.stringify([null, null, topic, event, message]);
    if (isLimit) {
        frames.push(encodeWebSocketFrame(frame));
        const own = replies.get(wire) ?? [];
        replies.set(wire, own);
        own.push(encodeWebSocketFrame(answer(message)));
        schedule();
        return;
    }
    for (const other of sockets.keys())
        other.send(frame);
    socket.send(answer(message));
};
server.on("upgrade", (request, wire, head) => accepted.handleUpgrade(request, wire, head, (socket) => {
    sockets.set(socket, wire);
    socket.on("message", (data) => onMessage(socket, wire, String(data)));
    socket.on("error", () => { });
    socket.on("close", () => sockets.delete(socket));
}));
server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
    const address = server.address();
    process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 });
});
process.on("disconnect", () => process.exit(0));
