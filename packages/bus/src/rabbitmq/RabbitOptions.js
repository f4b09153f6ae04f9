/** Connection options of RabbitMQ, and their translation into the client's options. */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
export const newQueueDelay = ({ newQueueDelay: given }) => given ?? "1 second";
/** The server addresses without credentials. */
export const redactedServers = ({ servers }) => servers.map((server) => (URL.canParse(server) ? new URL(server).host : "an unreadable address")).join(", ");
export const clientOptions = (options) => Effect.try({
    try: () => {
        const urls = options.servers.map((server) => new URL(server));
        const [first] = urls;
        if (first === undefined)
            throw new Error("no address");
        const secure = first.protocol === "amqps:";
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
        };
    },
    catch: (cause) => new ConfigurationError({
        setting: "MESSAGE_BUS_URL",
        message: "MESSAGE_BUS_URL cannot be parsed; a RabbitMQ URL looks like amqp://user:password@host:5672/virtual-host",
        cause,
    }),
});
