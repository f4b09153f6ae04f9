/**
 * The long-poll fallback of Phoenix clients, for networks that block WebSockets. HTTP responds with 200, and the body
 * has the status that the client reads.
 *
 * | request | body |
 * |---|---|
 * | GET without a session, or with an ended one | `{status: 410, token, messages: []}`: the token of a new session |
 * | GET with `token` | `200` and `messages` once there are some, `204` after the poll window, `410` if the session ended |
 * | POST with `token`, one message per line | `200`; `410` without a session, `408` if too many wait, `413` if too large |
 * | rejected | `403` with `reason` and `detail`; `500` if the server is not able to decide now, so that the client retries |
 *
 * The client appends the session token as a second `token=`, so the last one is read first. The session token names the
 * node of the session and is a random secret: it authorises its bearer to use the socket. A request that arrives at
 * another node is relayed to that node.
 */
import { randomBytes } from "node:crypto";
import * as Handshake from "./Handshake.ts";
import { LongPollTransport } from "./transports/LongPollTransport.ts";
/** Distinguishes a session token from a JWT, which never starts with this. */
const tokenPrefix = "poll.";
const headers = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "content-type, authorization, x-phoenix-authtoken",
    "access-control-max-age": "86400",
    "cache-control": "no-store",
    "content-type": "application/json; charset=utf-8",
};
export const make = (options) => {
    const sessions = new Map();
    const create = (request, response) => {
        const handshake = Handshake.read(request, options.rules, (token) => !token.startsWith(tokenPrefix));
        if ("status" in handshake)
            return reject(response, handshake);
        const token = `${tokenPrefix}${options.node}.${randomBytes(24).toString("base64url")}`;
        const makeTransport = () => {
            const transport = options.makeTransport(() => sessions.delete(token));
            sessions.set(token, transport);
            return transport;
        };
        options.open(request, handshake, makeTransport, (rejection) => {
            if (rejection === undefined)
                reply(response, { status: 410, token, messages: [] });
            else
                reject(response, rejection);
        });
    };
    const poll = (session, token, response) => {
        const respond = (status, messages) => reply(response, { status, token, messages });
        response.on("close", () => session.cancelPoll(respond));
        session.poll(respond, options.now());
    };
    const push = (session, request, response) => readBody(request, options.maxBodyBytes, (body) => {
        const lines = body
            ?.toString("utf8")
            .split("\n")
            .filter((line) => line.trim() !== "");
        if (lines === undefined)
            return reply(response, { status: 413 });
        session.push(lines.map(messageFrom), (isAccepted) => reply(response, { status: isAccepted ? 200 : session.isGone ? 410 : 408 }));
    });
    const handle = (request, response) => {
        response.on("error", () => { });
        const { method } = request;
        if (method === "OPTIONS")
            return void response.writeHead(200, headers).end();
        if (method !== "GET" && method !== "POST")
            return reply(response, { status: 400 }, 400);
        const token = Handshake.queryOf(request).getAll("token").at(-1) ?? "";
        const session = sessions.get(token) ?? (token.startsWith(tokenPrefix) ? options.remoteSession(token) : undefined);
        if (session !== undefined)
            return method === "GET" ? poll(session, token, response) : push(session, request, response);
        if (method === "GET")
            return create(request, response);
        request.resume();
        reply(response, { status: 410 });
    };
    return { handle, find: (token) => sessions.get(token) };
};
const reply = (response, body, status = 200) => {
    if (!response.writableEnded)
        response.writeHead(status, headers).end(JSON.stringify(body));
};
/** The official client handles only 403 and 500; it throws on every other status. */
const reject = (response, { status, reason, detail }) => reply(response, { status: status === 503 ? 500 : 403, reason, detail });
/** A line is JSON of either serializer, or a binary message in base64. */
const messageFrom = (line) => line.startsWith("[") || line.startsWith("{")
    ? { bytes: Buffer.from(line), isBinary: false }
    : { bytes: Buffer.from(line, "base64"), isBinary: true };
/** Passes `undefined` for a body over `maxBytes`; it still reads the rest, so that the client receives the response. */
const readBody = (request, maxBytes, done) => {
    const chunks = [];
    let size = 0;
    request.on("data", (chunk) => {
        size += chunk.length;
        if (size <= maxBytes)
            chunks.push(chunk);
        else
            chunks.length = 0;
    });
    request.on("end", () => done(size <= maxBytes ? Buffer.concat(chunks) : undefined));
    request.on("error", () => { });
};
