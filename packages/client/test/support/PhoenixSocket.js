/** The official `phoenix` client in Node, for a user of a test server. It reconnects at once and is closed with the scope. */
import { Effect } from "effect";
import { Socket } from "phoenix";
import { WebSocket } from "ws";
export const connect = Effect.fnUntraced(function* (server, user, roles = []) {
    const token = yield* server.token(user, { roles });
    const socket = new Socket(server.url, {
        params: { token },
        transport: WebSocket,
        reconnectAfterMs: () => 20,
        rejoinAfterMs: () => 20,
    });
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()));
    socket.connect();
    return socket;
});
