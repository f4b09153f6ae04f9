/** Connection options of RabbitMQ, and their translation into the client's options. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { type Duration, Effect } from "effect"
import type { ConnectionOptions } from "rabbitmq-client"

export interface RabbitOptions {
  /** `amqp://` or `amqps://` URLs. Several are nodes of one cluster; user and virtual host are taken from the first. */
  readonly servers: ReadonlyArray<string>
  /** PEM text of the CA that signed the server's certificate. */
  readonly ca?: string
  /** Connection name in the management UI. Default `armoricore`. */
  readonly name?: string
  /**
   * Maximum size of a queue before it rejects publishes. A queue never changes the size it was created with. Default 4
   * GiB.
   */
  readonly maxBytes?: number
  /**
   * How long a new queue waits before its first message. Default 1 s: RabbitMQ writes its register of quorum queues half a
   * second late, and a queue that it forgets in a crash loses its messages and stays without a leader. A test whose
   * broker does not crash sets 0.
   */
  readonly newQueueDelay?: Duration.Input
}

export const newQueueDelay = ({ newQueueDelay: given }: RabbitOptions): Duration.Input => given ?? "1 second"

/** The server addresses without credentials. */
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
        // After two missed heartbeats both sides close the connection, and the broker redelivers.
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
        message:
          "MESSAGE_BUS_URL cannot be parsed; a RabbitMQ URL looks like amqp://user:password@host:5672/virtual-host",
        cause,
      }),
  })
