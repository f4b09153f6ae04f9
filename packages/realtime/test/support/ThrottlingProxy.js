/** A TCP proxy that passes what the server sends on at a limited rate, as a slow link does. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { Effect } from "effect";
const interval = 20;
/** Returns the port of the proxy, which runs until the scope closes. */
export const make = Effect.fnUntraced(function* (serverPort, bytesPerSecond) {
    const sockets = new Set();
    const timers = new Set();
    const server = createServer((client) => {
        const upstream = connect(serverPort, "127.0.0.1");
        client.pipe(upstream);
        let pending = Buffer.alloc(0);
        upstream.on("data", (chunk) => {
            pending = Buffer.concat([pending, Buffer.from(chunk)]);
            upstream.pause();
        });
        const timer = setInterval(() => {
            const part = pending.subarray(0, Math.ceil((bytesPerSecond * interval) / 1000));
            pending = pending.subarray(part.length);
            if (part.length > 0)
                client.write(part);
            if (pending.length === 0)
                upstream.resume();
        }, interval);
        timers.add(timer);
        for (const socket of [client, upstream]) {
            sockets.add(socket);
            socket.on("error", () => { });
            socket.on("close", () => {
                clearInterval(timer);
                client.destroy();
                upstream.destroy();
            });
        }
    });
    server.listen(0, "127.0.0.1");
    yield* Effect.promise(() => once(server, "listening"));
    yield* Effect.addFinalizer(() => Effect.sync(() => {
        for (const timer of timers)
            clearInterval(timer);
        for (const socket of sockets)
            socket.destroy();
        server.close();
    }));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
});
