/** Connection options of NATS, and their translation into the client's options. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect, Redacted } from "effect"
import { type ConnectionOptions, credsAuthenticator, nkeyAuthenticator } from "nats"

export interface NatsOptions {
  /**
   * `nats://` or `tls://` URLs, or `host:port`. Several are servers of one cluster. They may contain user and password.
   */
  readonly servers: ReadonlyArray<string>
  readonly user?: string
  readonly password?: Redacted.Redacted
  readonly token?: Redacted.Redacted
  /** The text of a `.creds` file. */
  readonly creds?: Redacted.Redacted
  /** An nkey seed; begins with `SU`. */
  readonly nkeySeed?: Redacted.Redacted
  /** PEM text of the CA that signed the server's certificate. */
  readonly ca?: string
  /** Prefix of the reply inbox, where permissions restrict a service to `_INBOX_<service>.>`. Default `_INBOX`. */
  readonly inboxPrefix?: string
  /** Connection name in the server's monitoring. Default `armoricore`. */
  readonly name?: string
}

/** The server addresses without credentials. */
export const redactedServers = (options: NatsOptions): string =>
  options.servers
    .map((server) => (URL.canParse(address(server)) ? hostOf(parse(server)) : "an unreadable address"))
    .join(", ")

export const clientOptions = (options: NatsOptions): Effect.Effect<ConnectionOptions, ConfigurationError> =>
  Effect.try({
    try: () => {
      const urls = options.servers.map(parse)
      const secure = options.ca !== undefined || urls.some((url) => url.protocol === "tls:")
      const credentials = urls.find((url) => url.username !== "")
      const text = new TextEncoder()
      const user = options.user ?? (credentials === undefined ? undefined : decodeURIComponent(credentials.username))
      const password =
        options.password === undefined
          ? decodeURIComponent(credentials?.password ?? "")
          : Redacted.value(options.password)
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
      }
    },
    catch: (cause) =>
      new ConfigurationError({
        setting: "MESSAGE_BUS_URL",
        message: "MESSAGE_BUS_URL or its credentials cannot be parsed; a URL looks like nats://host:4222",
        cause,
      }),
  })

const address = (server: string): string => (server.includes("://") ? server : `nats://${server}`)
const parse = (server: string): URL => new URL(address(server))
const hostOf = (url: URL): string => `${url.hostname}:${url.port === "" ? "4222" : url.port}`
