/**
 * What an upgrade request asks for, before anything is believed: the serializer (`vsn`), the token, the origin.
 *
 * The token comes as `?token=`, in the `authToken` form of Phoenix 1.8
 * (`Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.<base64>`), or as `Authorization: Bearer`.
 */
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { serializer as v2 } from "./protocol/Frame.ts"
import { serializer as v1 } from "./protocol/FrameV1.ts"
import type { Serializer } from "./protocol/Message.ts"

/** `same`: browsers may connect from pages of this host only. Clients that send no Origin are no browsers. */
export type AllowedOrigins = "same" | "any" | ReadonlyArray<string>

export interface Handshake {
  readonly serializer: Serializer
  readonly token: string | undefined
}

export type RefusedStatus = 400 | 401 | 403 | 503

/** The protocol that must be selected when a client names it, or its handshake fails. */
export const subprotocol = "phoenix"

const tokenProtocol = "base64url.bearer.phx."

export const pathOf = (request: IncomingMessage): string => (request.url ?? "").split("?", 1)[0] ?? ""

export const read = (request: IncomingMessage, origins: AllowedOrigins): Handshake | RefusedStatus => {
  if (request.method !== "GET") return 400
  if (!isOriginAllowed(request, origins)) return 403
  const query = new URLSearchParams((request.url ?? "").split("?").slice(1).join("?"))
  const serializer = serializerOf(query.get("vsn"))
  if (serializer === undefined) return 403
  return { serializer, token: query.getAll("token").at(-1) ?? protocolToken(request) ?? bearer(request) }
}

/** Ends a request that is not upgraded. */
export const refuse = (socket: Duplex, status: RefusedStatus): void => {
  const text = { 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable" }[status]
  const retry = status === 503 ? "Retry-After: 1\r\n" : ""
  socket.once("finish", () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\n${retry}Content-Length: 0\r\n\r\n`)
}

const serializerOf = (version: string | null): Serializer | undefined => {
  if (version === null || /^1\.0\.\d{1,4}$/.test(version)) return v1
  return /^2\.0\.\d{1,4}$/.test(version) ? v2 : undefined
}

const protocolToken = (request: IncomingMessage): string | undefined => {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((part) => part.trim())
  const encoded = offered.find((part) => part.startsWith(tokenProtocol))?.slice(tokenProtocol.length)
  // Node reads both base64 alphabets, padded or not.
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8")
}

const bearer = (request: IncomingMessage): string | undefined =>
  /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1]

const isOriginAllowed = (request: IncomingMessage, origins: AllowedOrigins): boolean => {
  const { origin, host } = request.headers
  if (origin === undefined || origins === "any") return true
  if (origins !== "same") return origins.includes(origin)
  return URL.canParse(origin) && new URL(origin).host === host
}
