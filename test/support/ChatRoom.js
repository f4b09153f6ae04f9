/** A user in a chat room, through the official `phoenix` client. */
import { Effect } from "effect";
import { Socket } from "phoenix";
export const join = (url, token, room, params = {}) => Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(Effect.sync(() => new Socket(`${url.replace(/^http/, "ws")}/socket`, { params: { token }, transport: WebSocket })), (opened) => Effect.sync(() => opened.disconnect()));
    const reply = (push) => Effect.callback((resume) => {
        push
            .receive("ok", (response) => resume(Effect.succeed(response)))
            .receive("error", (response) => resume(Effect.fail(new Error(JSON.stringify(response)))));
    });
    socket.connect();
    const channel = socket.channel(`chat:room:${room}`, params);
    const joined = yield* reply(channel.join());
    const { messages, recovered } = joined;
    return {
        messages: Array.isArray(messages) ? messages : [],
        recovered,
        say: (content) => Effect.orDie(reply(channel.push("new_message", { content }))),
    };
});
