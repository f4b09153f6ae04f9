/** Serves the engine to other processes of the same user, on a socket that only this user may open. */
import { chmodSync } from "node:fs";
import { createServer } from "node:net";
import { decoder, encode } from "../Protocol.ts";
import { Subscriptions } from "./Subscriptions.ts";
/** A peer that does not read its responses is disconnected before they fill this process's memory. */
const maxBufferedBytes = 64 * 1024 * 1024;
export const serve = (engine, path) => {
    const sockets = new Set();
    const server = createServer((socket) => {
        const peer = {
            subscriptions: new Subscriptions(),
            send: (batch) => {
                if (socket.writableLength > maxBufferedBytes)
                    socket.destroy();
                else
                    socket.write(encode(batch));
            },
        };
        // Requests are typed by the client half of this package; only the same user can connect.
        const accept = decoder((batch) => engine.receive(peer, batch));
        sockets.add(socket);
        engine.join(peer);
        socket.on("data", (chunk) => {
            if (!accept(chunk))
                socket.destroy();
        });
        socket.on("error", () => socket.destroy());
        socket.on("close", () => {
            sockets.delete(socket);
            engine.leave(peer);
        });
    });
    return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, () => {
            chmodSync(path, 0o600);
            const closed = new Promise((done) => server.once("close", done));
            resolve({
                stopAccepting: () => void server.close(),
                close: () => {
                    for (const socket of sockets)
                        socket.end();
                    return closed;
                },
            });
        });
    });
};
