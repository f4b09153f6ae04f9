/**
 * What a node is measured against: a bare relay from one NATS subject to every `ws` socket, the payload put into a frame
 * once. It keeps no rooms, no order, no history and no limits.
 */
import { connect } from "nats";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
// Passed by the parent process.
const { nats } = JSON.parse(process.argv[2] ?? "{}");
const client = await connect({ servers: nats });
const sockets = new Set();
const server = createServer();
const accepted = new WebSocketServer({ server, clientTracking: false, perMessageDeflate: false });
accepted.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("message", () => { });
    socket.on("close", () => sockets.delete(socket));
});
client.subscribe("armoricore-live.room.chat:room:bench", {
    callback: (error, message) => {
        if (error !== null)
            return;
        const text = message.string();
        const frame = `[null,null,"chat:room:bench","new_message",${text.slice(text.indexOf("\n") + 1)}]`;
        for (const socket of sockets)
            socket.send(frame);
    },
});
process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system });
});
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.send?.({ port: typeof address === "object" && address !== null ? address.port : 0 });
});
