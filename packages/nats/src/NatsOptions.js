/** Connection options of NATS, and their translation into the client's options. */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Effect, Redacted } from "effect";
import { credsAuthenticator, nkeyAuthenticator } from "nats";
/** The server addresses without credentials. */
export const redactedServers = (options) => options.servers
    .map((server) => (URL.canParse(address(server)) ? hostOf(parse(server)) : "an unreadable address"))
    .join(", ");
export const clientOptions = (options) => Effect.try({
    try: () => {
        const urls = options.servers.map(parse);
        const secure = options.ca !== undefined || urls.some((url) => url.protocol === "tls:");
        const credentials = urls.find((url) => url.username !== "");
        const text = new TextEncoder();
        const user = options.user ?? (credentials === undefined ? undefined : decodeURIComponent(credentials.username));
        const password = options.password === undefined
            ? decodeURIComponent(credentials?.password ?? "")
            : Redacted.value(options.password);
        return {
            servers: urls.map(hostOf),
            name: options.name ?? "armoricore",
            // Two unanswered pings close a connection that silently lost its peer.
            timeout: 3_000,
            pingInterval: 5_000,
            maxPingOut: 2,
            maxReconnectAttempts: -1,
            reconnectTimeWait: 500,
            // Rotated credentials must not end a running process: it reconnects until they are valid again.
            ignoreAuthErrorAbort: true,
            ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
            ...(secure ? { tls: options.ca === undefined ? {} : { ca: options.ca } } : {}),
            // A URL with a user but no password carries a token.
            ...(user === undefined ? {} : password === "" ? { token: user } : { user, pass: password }),
            ...(options.token === undefined ? {} : { token: Redacted.value(options.token) }),
            ...(options.creds === undefined
                ? {}
                : { authenticator: credsAuthenticator(text.encode(Redacted.value(options.creds))) }),
            ...(options.nkeySeed === undefined
                ? {}
                : { authenticator: nkeyAuthenticator(text.encode(Redacted.value(options.nkeySeed))) }),
        };
    },
    catch: (cause) => new ConfigurationError({
        setting: "MESSAGE_BUS_URL",
        message: "MESSAGE_BUS_URL or its credentials cannot be parsed; a URL looks like nats://host:4222",
        cause,
    }),
});
const address = (server) => (server.includes("://") ? server : `nats://${server}`);
const parse = (server) => new URL(address(server));
const hostOf = (url) => `${url.hostname}:${url.port === "" ? "4222" : url.port}`;
