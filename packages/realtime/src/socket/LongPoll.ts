/**
 * The long-poll fallback of Phoenix's clients, for networks that block WebSockets. Its requests are answered with HTTP
 * 200, and the real status stands in the body, where the client looks for it.
 *
 * | request | body |
 * |---|---|
 * | GET without a session, or with one that is gone | `{status: 410, token, messages: []}`: a new session, open it |
 * | GET with `token` | `200` with `messages` as soon as there are some, `204` after the window, `410` when it ended |
 * | POST with `token`, a message a line | `200`; `410` without a session, `408` too many wait, `413` too large |
 * | refused | `403` with `reason` and `detail`, `500` when the server cannot say now: the client tries again |
 *
 * The session's token is appended as a second `token=`, so the last one is looked at first. It names the node that has
 * the session, and is a random secret: whoever has it speaks for the socket. A request that comes to another node is
 * relayed to that one.
 */
import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { PollSession } from "../cluster/PollRelay.ts"
import * as Handshake from "./Handshake.ts"
import type { PollResponder } from "./transports/LongPollTransport.ts"
import { LongPollTransport } from "./transports/LongPollTransport.ts"

export interface LongPollOptions {
  readonly maxBodyBytes: number
  readonly now: () => number
  /** A transport for a new session; whoever makes it tells when it is over. */
  readonly makeTransport: (onGone: () => void) => LongPollTransport
  /** Verifies the request and opens a socket over the transport. Calls back once. */
  readonly open: (
    request: IncomingMessage,
    handshake: Handshake.Handshake,
    makeTransport: () => LongPollTransport,
    done: (refused: Handshake.Rejection | undefined) => void,
  ) => void
  readonly rules: Handshake.Rules
  /** This node's name, without dots. */
  readonly node: string
  /** A session of another node. */
  readonly remoteSession: (token: string) => PollSession | undefined
}

/** What a JWT never starts with. */
const tokenPrefix = "poll."
const maxLines = 100

const headers = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST, OPTIONS",
  "access-control-allow-headers": "content-type, authorization, x-phoenix-authtoken",
  "access-control-max-age": "86400",
  "cache-control": "no-store",
  "content-type": "application/json; charset=utf-8",
} as const

export interface LongPoll {
  /** Answers requests for the fallback's path. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** A session of this node. */
  readonly find: (token: string) => PollSession | undefined
}

export const make = (options: LongPollOptions): LongPoll => {
  const sessions = new Map<string, LongPollTransport>()

  const create = (request: IncomingMessage, response: ServerResponse): void => {
    const handshake = Handshake.read(request, options.rules, (token) => !token.startsWith(tokenPrefix))
    if ("status" in handshake) return reject(response, handshake)
    const token = `${tokenPrefix}${options.node}.${randomBytes(24).toString("base64url")}`
    const makeTransport = () => {
      const transport = options.makeTransport(() => sessions.delete(token))
      sessions.set(token, transport)
      return transport
    }
    options.open(request, handshake, makeTransport, (refused) => {
      if (refused === undefined) reply(response, { status: 410, token, messages: [] })
      else reject(response, refused)
    })
  }

  const poll = (session: PollSession, token: string, response: ServerResponse): void => {
    const answer: PollResponder = (status, messages) => reply(response, { status, token, messages })
    response.on("close", () => session.cancelPoll(answer))
    session.poll(answer, options.now())
  }

  const push = (session: PollSession, request: IncomingMessage, response: ServerResponse): void =>
    readBody(request, options.maxBodyBytes, (body) => {
      const lines = body
        ?.toString("utf8")
        .split("\n")
        .filter((line) => line.trim() !== "")
      if (lines === undefined || lines.length > maxLines) return reply(response, { status: 413 })
      session.push(lines.map(messageFrom), (taken) =>
        reply(response, { status: taken ? 200 : session.isGone ? 410 : 408 }),
      )
    })

  const handle: LongPoll["handle"] = (request, response) => {
    response.on("error", () => {})
    const { method } = request
    if (method === "OPTIONS") return void response.writeHead(200, headers).end()
    if (method !== "GET" && method !== "POST") return reply(response, { status: 400 }, 400)
    const token = Handshake.queryOf(request).getAll("token").at(-1) ?? ""
    const session = sessions.get(token) ?? (token.startsWith(tokenPrefix) ? options.remoteSession(token) : undefined)
    if (session !== undefined)
      return method === "GET" ? poll(session, token, response) : push(session, request, response)
    if (method === "GET") return create(request, response)
    request.resume()
    reply(response, { status: 410 })
  }
  return { handle, find: (token) => sessions.get(token) }
}

const reply = (response: ServerResponse, body: object, status = 200): void => {
  if (!response.writableEnded) response.writeHead(status, headers).end(JSON.stringify(body))
}

/** The client knows 403 and 500, and dies of any other status. */
const reject = (response: ServerResponse, { status, reason, detail }: Handshake.Rejection): void =>
  reply(response, { status: status === 503 ? 500 : 403, reason, detail })

/** Text is JSON of either serializer; anything else is a binary message in base64. */
const messageFrom = (line: string) =>
  line.startsWith("[") || line.startsWith("{")
    ? { bytes: Buffer.from(line), isBinary: false }
    : { bytes: Buffer.from(line, "base64"), isBinary: true }

/** `undefined`: more than `limit` bytes; the rest is read and thrown away, so that the answer arrives. */
const readBody = (request: IncomingMessage, limit: number, done: (body: Buffer | undefined) => void): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  request.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size <= limit) chunks.push(chunk)
    else chunks.length = 0
  })
  request.on("end", () => done(size <= limit ? Buffer.concat(chunks) : undefined))
  request.on("error", () => {})
}
