/**
 * Parses a request for a socket, before the token is verified: the serializer (`vsn`), the token, the origin and the
 * client's address.
 *
 * The token is read from `?token=` (the last one that is not empty), from the `authToken` form of Phoenix 1.8
 * (`Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.<base64>`, or `X-Phoenix-AuthToken` for long poll), or from
 * `Authorization: Bearer`.
 */
import * as Bearer from "@armoricore/auth/Bearer";
import { STATUS_CODES } from "node:http";
import { Result } from "effect";
import { IpNetwork, NetAddress } from "effect/net";
import { serializer as v2 } from "../protocol/SerializerV2.ts";
import { serializer as v1 } from "../protocol/SerializerV1.ts";
const badMethod = { status: 400, reason: "bad_request", detail: "open a WebSocket with the method GET" };
const originNotAllowed = {
    status: 403,
    reason: "forbidden_origin",
    detail: "pages of this origin may not connect: add it to ALLOWED_ORIGINS",
};
const unknownVersion = {
    status: 403,
    reason: "unknown_vsn",
    detail: "vsn must be 1.0.0 or 2.0.0",
};
const upgradeRequired = {
    status: 426,
    reason: "upgrade_required",
    detail: "this path accepts only WebSockets, and the request has no `Upgrade: websocket` header: if a proxy is in front of the server, let it pass the headers Upgrade and Connection on with HTTP/1.1",
};
export const draining = {
    status: 503,
    reason: "service_restart",
    detail: "this node is shutting down: connect again, to another node",
};
export const unavailable = {
    status: 503,
    reason: "unavailable",
    detail: "the server cannot verify tokens now, because it cannot read the key set: connect again in a second",
};
export const unauthorized = (detail) => ({ status: 401, reason: "unauthorized", detail });
export const tooManyConnections = (limitedBy) => ({
    status: 429,
    reason: "too_many_connections",
    detail: `this ${limitedBy} reached its limit of connections: close some, or connect again later`,
});
/** Every `reason` above with its meaning for a client, for `docs/clients.md`. */
export const reasons = {
    bad_request: "400; the method is not GET",
    unauthorized: "401; the token is missing, invalid, expired or revoked: get a new one before connecting again",
    forbidden_origin: "403; pages of this origin may not connect: the operator adds it to `ALLOWED_ORIGINS`",
    unknown_vsn: "403; `vsn` is neither `1.0.0` nor `2.0.0`",
    upgrade_required: "426; the request has no `Upgrade` header: usually a proxy removes it, and has to pass `Upgrade` and `Connection` on",
    too_many_connections: "429; the user or the address reached its limit of connections",
    service_restart: "503; this node is shutting down: connect again",
    unavailable: "503; the server cannot read the key set for tokens now: connect again",
};
/** If a client offers this subprotocol, the server must select it, or the client fails the handshake. */
export const subprotocol = "phoenix";
const tokenProtocol = "base64url.bearer.phx.";
export const pathOf = (request) => (request.url ?? "").split("?", 1)[0] ?? "";
export const read = (request, rules, accepts = () => true) => {
    if (!isOriginAllowed(request, rules))
        return originNotAllowed;
    const query = queryOf(request);
    const serializer = serializerOf(query.get("vsn"));
    if (serializer === undefined)
        return unknownVersion;
    const inQuery = query.getAll("token").findLast((value) => value !== "" && accepts(value));
    const token = [
        inQuery,
        protocolToken(request),
        authToken(request),
        Bearer.fromHeader(request.headers.authorization),
    ].find(isPresent);
    return { serializer, token };
};
/** An empty token counts as absent: a page may send `token=` in addition to its subprotocol. */
const isPresent = (token) => token !== undefined && token !== "";
export const queryOf = (request) => {
    const { url = "" } = request;
    const at = url.indexOf("?");
    return new URLSearchParams(at === -1 ? "" : url.slice(at));
};
export const readUpgrade = (request, rules) => request.method === "GET" ? read(request, rules) : badMethod;
const problemOf = ({ status, reason, detail }) => JSON.stringify({ title: STATUS_CODES[status] ?? "", status, detail, reason });
/** Responds to a request for a WebSocket that is not an upgrade request. */
export const respondUpgradeRequired = (response) => {
    response
        .writeHead(upgradeRequired.status, {
        connection: "Upgrade, close",
        upgrade: "websocket",
        "content-type": "application/problem+json",
        "cache-control": "no-store",
    })
        .end(problemOf(upgradeRequired));
};
/** Responds to an upgrade request with a problem document and closes the connection. */
export const reject = (socket, rejection) => {
    const { status } = rejection;
    const title = STATUS_CODES[status] ?? "";
    const body = problemOf(rejection);
    const retry = status === 503 || status === 429 ? "Retry-After: 1\r\n" : "";
    const type = "Content-Type: application/problem+json\r\n";
    socket.once("finish", () => socket.destroy());
    socket.end(`HTTP/1.1 ${status} ${title}\r\nConnection: close\r\n${retry}${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
};
/**
 * The client's address: the peer of the connection or, behind trusted proxies, the last address of `X-Forwarded-For`
 * that is not a trusted proxy. An entry that is not an address ends the search. An IPv6 address is reduced to its /64,
 * because a client usually controls a whole /64.
 */
export const addressOf = (request, trusted) => {
    const { remoteAddress = "" } = request.socket;
    const forwarded = trusted.length === 0 ? undefined : request.headers["x-forwarded-for"];
    if (forwarded === undefined && !remoteAddress.includes(":"))
        return remoteAddress;
    let address = parseAddress(remoteAddress);
    if (address === undefined)
        return remoteAddress;
    const hops = String(forwarded ?? "").split(",");
    while (hops.length > 0 && isTrusted(address, trusted)) {
        const hop = parseAddress(hops.pop()?.trim() ?? "");
        if (hop === undefined)
            break;
        address = hop;
    }
    return NetAddress.isIpv4Address(address)
        ? NetAddress.formatIp(address)
        : IpNetwork.format(IpNetwork.fromAddressUnsafe(address, 64));
};
const isTrusted = (address, trusted) => trusted.some((network) => IpNetwork.contains(network, address));
const parseAddress = (text) => {
    const bare = text.startsWith("[") ? text.slice(1, text.indexOf("]")) : text;
    const plain = NetAddress.ipFromString(bare);
    if (Result.isSuccess(plain))
        return NetAddress.toCanonical(plain.success);
    const withPort = NetAddress.inetAddressFromString(text);
    return Result.isSuccess(withPort) ? NetAddress.toCanonical(withPort.success.address) : undefined;
};
const serializerOf = (version) => {
    if (version === null || /^1\.0\.\d{1,4}$/.test(version))
        return v1;
    return /^2\.0\.\d{1,4}$/.test(version) ? v2 : undefined;
};
const protocolToken = (request) => {
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((part) => part.trim());
    const encoded = offered.find((part) => part.startsWith(tokenProtocol))?.slice(tokenProtocol.length);
    // Node decodes both base64 alphabets, padded or not.
    return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("utf8");
};
/** `authToken` of a long-poll client. */
const authToken = (request) => {
    const header = request.headers["x-phoenix-authtoken"];
    return typeof header === "string" ? header : undefined;
};
const isOriginAllowed = (request, { allowedOrigins, trustedProxies }) => {
    const { origin } = request.headers;
    if (origin === undefined || allowedOrigins === "any")
        return true;
    if (allowedOrigins !== "same")
        return allowedOrigins.includes(origin);
    return URL.canParse(origin) && new URL(origin).host === hostOf(request, trustedProxies);
};
/** The host that the client requested. */
const hostOf = (request, trusted) => {
    const { host, "x-forwarded-host": forwarded } = request.headers;
    if (forwarded === undefined || trusted.length === 0)
        return host;
    const peer = parseAddress(request.socket.remoteAddress ?? "");
    return peer !== undefined && isTrusted(peer, trusted) ? String(forwarded).split(",").at(-1)?.trim() : host;
};
