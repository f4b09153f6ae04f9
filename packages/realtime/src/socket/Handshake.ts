/**
 * What a request for a socket asks for, before anything is believed: the serializer (`vsn`), the token, the origin and
 * the address it comes from.
 *
 * The token comes as `?token=` (the last one that is not empty counts), in the `authToken` form of Phoenix 1.8
 * (`Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.<base64>`, or `X-Phoenix-AuthToken` where there is no
 * WebSocket), or as `Authorization: Bearer`.
 */
import * as Bearer from "@armoricore/auth/Bearer"
import { STATUS_CODES, type IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { Result } from "effect"
import { IpNetwork, NetAddress } from "effect/net"
import { serializer as v2 } from "../protocol/SerializerV2.ts"
import { serializer as v1 } from "../protocol/SerializerV1.ts"
import type { Serializer } from "../protocol/Message.ts"

/** `same`: browsers may connect from pages of this host only. Clients that send no Origin are no browsers. */
export type AllowedOrigins = "same" | "any" | ReadonlyArray<string>

/** What the operator says of who may connect. */
export interface Rules {
  readonly allowedOrigins: AllowedOrigins
  /** What these say in `X-Forwarded-For` and `X-Forwarded-Host` counts. */
  readonly trustedProxies: ReadonlyArray<IpNetwork.IpNetwork>
}

export interface Handshake {
  readonly serializer: Serializer
  readonly token: string | undefined
}

/** Why there is no socket, as HTTP says it: `detail` is one sentence for the person who asked. */
export interface Rejection {
  readonly status: 400 | 401 | 403 | 429 | 503
  readonly reason: string
  readonly detail: string
}

const badMethod: Rejection = { status: 400, reason: "bad_request", detail: "a WebSocket is asked for with GET" }
const originNotAllowed: Rejection = {
  status: 403,
  reason: "forbidden_origin",
  detail: "pages of this origin may not connect: name it in ALLOWED_ORIGINS",
}
const unknownVersion: Rejection = {
  status: 403,
  reason: "unknown_vsn",
  detail: "vsn is neither 1.0.0 nor 2.0.0, the serializers spoken here",
}
export const draining: Rejection = {
  status: 503,
  reason: "service_restart",
  detail: "this node is going down: connect again, to another",
}
export const unavailable: Rejection = {
  status: 503,
  reason: "unavailable",
  detail: "tokens cannot be verified at the moment: connect again in a second",
}
export const unauthorized = (detail: string): Rejection => ({ status: 401, reason: "unauthorized", detail })
export const tooManyConnections = (limitedBy: "user" | "address"): Rejection => ({
  status: 429,
  reason: "too_many_connections",
  detail: `this ${limitedBy} has as many connections as one may have: close some, or connect again later`,
})

/** Every `reason` above, with what a client should do, for the documents. */
export const reasons = {
  bad_request: "400; another method than GET",
  unauthorized: "401; no token, or one that is forged, ended or revoked: get a new one before connecting again",
  forbidden_origin: "403; pages of this origin may not connect: the operator names it in `ALLOWED_ORIGINS`",
  unknown_vsn: "403; `vsn` is neither `1.0.0` nor `2.0.0`",
  too_many_connections: "429; the user or the address has as many connections as one may have",
  service_restart: "503; this node is going down: connect again",
  unavailable: "503; the key set of tokens cannot be read at the moment: connect again",
} as const

/** The protocol that must be selected when a client names it, or its handshake fails. */
export const subprotocol = "phoenix"

const tokenProtocol = "base64url.bearer.phx."

export const pathOf = (request: IncomingMessage): string => (request.url ?? "").split("?", 1)[0] ?? ""

export const read = (
  request: IncomingMessage,
  rules: Rules,
  accepts: (token: string) => boolean = () => true,
): Handshake | Rejection => {
  if (!isOriginAllowed(request, rules)) return originNotAllowed
  const query = queryOf(request)
  const serializer = serializerOf(query.get("vsn"))
  if (serializer === undefined) return unknownVersion
  const inQuery = query.getAll("token").findLast((found) => found !== "" && accepts(found))
  const token = [
    inQuery,
    protocolToken(request),
    authToken(request),
    Bearer.fromHeader(request.headers.authorization),
  ].find(isPresent)
  return { serializer, token }
}

/** Named and empty is not given: a page may send `token=` beside its subprotocol. */
const isPresent = (token: string | undefined): token is string => token !== undefined && token !== ""

export const queryOf = (request: IncomingMessage): URLSearchParams => {
  const { url = "" } = request
  const at = url.indexOf("?")
  return new URLSearchParams(at === -1 ? "" : url.slice(at))
}

/** What an upgrade asks for. */
export const readUpgrade = (request: IncomingMessage, rules: Rules): Handshake | Rejection =>
  request.method === "GET" ? read(request, rules) : badMethod

/** Ends a request that is not upgraded. */
export const reject = (socket: Duplex, { status, reason, detail }: Rejection): void => {
  const title = STATUS_CODES[status] ?? ""
  const body = JSON.stringify({ title, status, detail, reason })
  const retry = status === 503 || status === 429 ? "Retry-After: 1\r\n" : ""
  const type = "Content-Type: application/problem+json\r\n"
  socket.once("finish", () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nConnection: close\r\n${retry}${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/**
 * The client's address: that of the connection, or what trusted proxies say of it. `X-Forwarded-For` is read from the
 * right, skipping trusted proxies; an entry that is no address ends the reading. IPv6 counts by its /64, since whoever
 * has one address of it has all.
 */
export const addressOf = (request: IncomingMessage, trusted: ReadonlyArray<IpNetwork.IpNetwork>): string => {
  const { remoteAddress = "" } = request.socket
  const forwarded = trusted.length === 0 ? undefined : request.headers["x-forwarded-for"]
  if (forwarded === undefined && !remoteAddress.includes(":")) return remoteAddress
  let address = parseAddress(remoteAddress)
  if (address === undefined) return remoteAddress
  const hops = String(forwarded ?? "").split(",")
  while (hops.length > 0 && isTrusted(address, trusted)) {
    const hop = parseAddress(hops.pop()?.trim() ?? "")
    if (hop === undefined) break
    address = hop
  }
  return NetAddress.isIpv4Address(address)
    ? NetAddress.formatIp(address)
    : IpNetwork.format(IpNetwork.fromAddressUnsafe(address, 64))
}

const isTrusted = (address: NetAddress.IpAddress, trusted: ReadonlyArray<IpNetwork.IpNetwork>): boolean =>
  trusted.some((network) => IpNetwork.contains(network, address))

const parseAddress = (text: string): NetAddress.IpAddress | undefined => {
  const bare = text.startsWith("[") ? text.slice(1, text.indexOf("]")) : text
  const plain = NetAddress.ipFromString(bare)
  if (Result.isSuccess(plain)) return NetAddress.toCanonical(plain.success)
  const withPort = NetAddress.inetAddressFromString(text)
  return Result.isSuccess(withPort) ? NetAddress.toCanonical(withPort.success.address) : undefined
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

/** The long-poll client's form of `authToken`. */
const authToken = (request: IncomingMessage): string | undefined => {
  const header = request.headers["x-phoenix-authtoken"]
  return typeof header === "string" ? header : undefined
}

const isOriginAllowed = (request: IncomingMessage, { allowedOrigins, trustedProxies }: Rules): boolean => {
  const { origin } = request.headers
  if (origin === undefined || allowedOrigins === "any") return true
  if (allowedOrigins !== "same") return allowedOrigins.includes(origin)
  return URL.canParse(origin) && new URL(origin).host === hostOf(request, trustedProxies)
}

/** The host that the client asked for. */
const hostOf = (request: IncomingMessage, trusted: ReadonlyArray<IpNetwork.IpNetwork>): string | undefined => {
  const { host, "x-forwarded-host": forwarded } = request.headers
  if (forwarded === undefined || trusted.length === 0) return host
  const peer = parseAddress(request.socket.remoteAddress ?? "")
  return peer !== undefined && isTrusted(peer, trusted) ? String(forwarded).split(",").at(-1)?.trim() : host
}
