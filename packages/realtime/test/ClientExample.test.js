/** Runs the example of docs/clients.md. */
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, it } from "@effect/vitest";
import { Effect } from "effect";
import { Socket } from "phoenix";
import { WebSocket } from "ws";
import { start } from "./support/TestServer.ts";
const page = readFileSync(new URL("../../../docs/clients.md", import.meta.url), "utf8");
const [, example = ""] = /```js\nimport .*\n([^`]*)```/.exec(page) ?? [];
it.live("the example of docs/clients.md sends a message and continues after a reconnect", () => Effect.gen(function* () {
    const server = yield* start();
    const sockets = [];
    class TestSocket extends Socket {
        constructor(_, options) {
            super(server.url, { ...options, transport: WebSocket, reconnectAfterMs: () => 20, rejoinAfterMs: () => 20 });
            sockets.push(this);
        }
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.disconnect())));
    const shown = [];
    const show = ({ content }) => shown.push(content);
    const run = runInThisContext(`(Socket, token, show) => {${example}}`);
    assert.isFunction(run);
    if (typeof run === "function")
        run(TestSocket, yield* server.token("u1"), show);
    yield* eventually(() => shown.length === 1);
    const before = server.endpoint.sockets();
    for (const socket of before)
        socket.kick("reconnect");
    yield* eventually(() => server.endpoint.sockets().some((socket) => !before.includes(socket) && socket.topics().length === 1));
    server.topics.deliver("chat:room:42", "new_message", { content: "after", seq: 9e15 });
    yield* eventually(() => shown.length === 2);
    assert.deepStrictEqual(shown, ["hello", "after"]);
}));
