/** What the fakes of providers share: a server on a free port of 127.0.0.1 that is gone with the scope. */
import { Effect } from "effect";
import { createServer } from "node:http";
import { listen } from "../LocalPort.ts";
/** A server that gets whole requests; `create` makes it, with or without TLS. */
export const bufferedServer = (create, answer) => create((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
        const asked = {
            method: request.method ?? "",
            path: request.url ?? "",
            headers: request.headers,
            body: Buffer.concat(chunks),
        };
        void Promise.resolve(answer(asked)).then((answered) => write(request, response, answered), (error) => write(request, response, { status: 500, body: String(error) }));
    });
});
/** Returns the server's address. */
export const listenHttp = (answer) => Effect.map(listen(bufferedServer((listener) => createServer(listener), answer)), (port) => `http://127.0.0.1:${port}`);
const write = (request, response, { body = "", disconnect, headers = {}, status }) => {
    if (disconnect === true)
        return void request.socket.destroy();
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(body);
};
