/** How to reach RabbitMQ, and what that is in the client's own words. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { ConnectionOptions } from "rabbitmq-client"

export interface RabbitOptions {
  /** `amqp://` or `amqps://` addresses; several are one cluster, whose user and virtual host stand in the first. */
  readonly servers: ReadonlyArray<string>
  /** PEM text of the authority that signed the server's certificate. */
  readonly ca?: string
  /** Shown in the server's list of connections. Default `armoricore`. */
  readonly name?: string
  /** What a queue may hold before it refuses. A queue keeps the size it was made with. Default 4 GiB. */
  readonly maxBytes?: number
}

/** The addresses without their secrets. */
export const redactedServers = ({ servers }: RabbitOptions): string =>
  servers.map((server) => (URL.canParse(server) ? new URL(server).host : "an unreadable address")).join(", ")

export const clientOptions = (options: RabbitOptions): Effect.Effect<ConnectionOptions, ConfigurationError> =>
  Effect.try({
    try: () => {
      const urls = options.servers.map((server) => new URL(server))
      const [first] = urls
      if (first === undefined) throw new Error("no address")
      const secure = first.protocol === "amqps:"
      return {
        url: first.username === "" ? first.href.replace("://", "://guest:guest@") : first.href,
        hosts: urls.map((url) => `${url.hostname}:${url.port === "" ? (secure ? "5671" : "5672") : url.port}`),
        connectionName: options.name ?? "armoricore",
        // Two silent intervals and the link counts as dead, on both sides: the broker then delivers elsewhere.
        heartbeat: 10,
        connectionTimeout: 5_000,
        acquireTimeout: 5_000,
        frameMax: 131_072,
        retryLow: 250,
        retryHigh: 5_000,
        noDelay: true,
        ...(secure ? { tls: options.ca === undefined ? true : { ca: options.ca, servername: first.hostname } } : {}),
      }
    },
    catch: (cause) =>
      new ConfigurationError({
        setting: "MESSAGE_BUS_URL",
        message: "The RabbitMQ address cannot be read; it looks like amqp://user:password@host:5672/virtual-host",
        cause,
      }),
  })
