/** A mail server that stalls or rejects at a chosen stage of the conversation. */
import { listen } from "@armoricore/testing/LocalPort";
import { Effect, Redacted } from "effect";
import { createServer } from "node:net";
/** The last command of the client, or `CONNECT`; `.` is the end of the message. */
export const stages = ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."];
const replies = {
    CONNECT: "220 ready",
    EHLO: "250-here\r\n250 AUTH PLAIN",
    AUTH: "235 welcome",
    MAIL: "250 ok",
    RCPT: "250 ok",
    DATA: "354 go on",
    ".": "250 taken",
};
export const make = Effect.gen(function* () {
    const sockets = new Set();
    const state = { stallAt: undefined, refusals: {}, accepted: 0, reached: 0 };
    const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        socket.on("error", () => { });
        const say = (stage) => {
            const refusal = state.refusals[stage];
            if (refusal !== undefined || state.stallAt === stage)
                state.reached++;
            if (stage === "." && refusal === undefined)
                state.accepted++;
            if (state.stallAt !== stage)
                socket.write(`${refusal ?? replies[stage]}\r\n`);
        };
        let isMessage = false;
        let text = "";
        socket.on("data", (chunk) => {
            text += chunk.toString();
            for (let end = text.indexOf("\r\n"); end >= 0; end = text.indexOf("\r\n")) {
                const line = text.slice(0, end);
                text = text.slice(end + 2);
                if (isMessage && line !== ".")
                    continue;
                isMessage = line === "DATA";
                const stage = stages.find((one) => line.startsWith(one));
                if (stage === undefined)
                    socket.write("250 ok\r\n");
                else
                    say(stage);
            }
        });
        say("CONNECT");
    });
    const closeAllConnections = () => {
        for (const socket of sockets)
            socket.destroy();
    };
    const port = yield* listen(Object.assign(server, { closeAllConnections }));
    return { state, url: Redacted.make(`smtp://user:secret@127.0.0.1:${port}`) };
});
