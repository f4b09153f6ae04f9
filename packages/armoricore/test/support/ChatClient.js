/** Clients in a chat room of a running program, with the official `phoenix` client. */
import { Effect } from "effect";
import { Socket } from "phoenix";
export const join = (url, token, topic) => Effect.gen(function* () {
    const closeCodes = [];
    const socket = yield* Effect.acquireRelease(Effect.sync(() => new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket })), (opened) => Effect.sync(() => opened.disconnect()));
    socket.onClose((event) => {
        const code = typeof event === "object" && event !== null ? Reflect.get(event, "code") : undefined;
        if (typeof code === "number")
            closeCodes.push(code);
    });
    const channel = yield* Effect.callback((resume) => {
        socket.connect();
        const joining = socket.channel(topic, {});
        joining.join().receive("ok", () => resume(Effect.succeed(joining)));
    });
    return {
        closeCodes,
        send: (content) => Effect.callback((resume) => {
            channel.push("new_message", { content }).receive("ok", () => resume(Effect.void));
        }),
    };
});
