/** A TCP proxy on a free port of 127.0.0.1 whose line can fail: broken once, cut until it heals, or silent. */
import { Effect } from "effect";
import { connect, createServer } from "node:net";
import { listen } from "./LocalPort.ts";
/** Gone with the scope. */
export const make = Effect.fnUntraced(function* (target) {
    const sockets = new Set();
    let line = "open";
    const sever = () => {
        for (const socket of sockets)
            socket.destroy();
    };
    const server = createServer((near) => {
        if (line === "cut")
            return near.destroy();
        const far = connect(target, "127.0.0.1");
        for (const [from, to] of [
            [near, far],
            [far, near],
        ]) {
            sockets.add(from);
            from.on("data", (chunk) => {
                if (line !== "silent")
                    to.write(chunk);
            });
            from.on("error", () => to.destroy());
            from.on("close", () => {
                sockets.delete(from);
                to.destroy();
            });
        }
    });
    const become = (next) => {
        line = next;
        if (next !== "silent")
            sever();
    };
    const port = yield* listen(Object.assign(server, { closeAllConnections: () => become("cut") }));
    return {
        port,
        resetConnections: Effect.sync(sever),
        goDown: Effect.sync(() => become("cut")),
        blackhole: Effect.sync(() => become("silent")),
        restore: Effect.sync(() => become("open")),
    };
});
