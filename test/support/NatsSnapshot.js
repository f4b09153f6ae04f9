/**
 * The data of the program on a NATS server, as text: the configuration of every stream and durable consumer, and every
 * message. `restore` writes it to an empty server. The restored consumers start at the first message, as after
 * `nats stream restore` without the consumers, so the bus delivers every message a second time.
 */
import { Effect, Schema } from "effect";
import { connect, headers } from "nats";
const Message = Schema.Struct({
    sequence: Schema.Int,
    subject: Schema.String,
    headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
    /** Base64. */
    body: Schema.String,
});
const Config = Schema.Record(Schema.String, Schema.Unknown);
export const NatsSnapshot = Schema.Struct({
    streams: Schema.Array(Schema.Struct({ config: Config, consumers: Schema.Array(Config), messages: Schema.Array(Message) })),
});
const connection = (url) => Effect.acquireRelease(Effect.promise(() => connect({ servers: url })), (client) => Effect.promise(() => client.close()));
const messagesOf = async (client, stream, first, last) => {
    const manager = await client.jetstreamManager();
    const messages = [];
    for (let sequence = first; sequence <= last; sequence++) {
        const stored = await manager.streams.getMessage(stream, { seq: sequence }).catch(() => undefined);
        if (stored === undefined)
            continue;
        messages.push({
            sequence,
            subject: stored.subject,
            headers: stored.header.keys().map((name) => [name, stored.header.get(name)]),
            body: Buffer.from(stored.data).toString("base64"),
        });
    }
    return messages;
};
export const take = Effect.fnUntraced(function* (url) {
    return yield* Effect.scoped(Effect.flatMap(connection(url), (client) => Effect.promise(async () => {
        const manager = await client.jetstreamManager();
        const streams = [];
        for (const { config, state } of await manager.streams.list().next()) {
            const consumers = await manager.consumers.list(config.name).next();
            streams.push({
                config: { ...config },
                consumers: consumers.map((consumer) => ({ ...consumer.config })),
                messages: await messagesOf(client, config.name, state.first_seq, state.last_seq),
            });
        }
        return { streams };
    })));
});
/** `later`: milliseconds since the snapshot. Expiry times of state entries move by it, so that no entry has expired. */
export const restore = (url, snapshot, later) => Effect.scoped(Effect.flatMap(connection(url), (client) => Effect.promise(async () => {
    const manager = await client.jetstreamManager();
    const js = client.jetstream();
    for (const { config, consumers, messages } of snapshot.streams) {
        // The server returned this configuration, so it accepts it.
        await manager.streams.add(config);
        for (const consumer of consumers)
            await manager.consumers.add(String(config["name"]), consumer);
        for (const message of messages) {
            const restored = headers();
            for (const [name, value] of message.headers) {
                // Expected sequences of the original stream do not apply to a new one.
                if (!name.startsWith("Nats-Expected-"))
                    restored.set(name, value);
            }
            const body = Buffer.from(message.body, "base64");
            const data = message.subject.startsWith("$KV.") ? shiftExpiry(body, later) : body;
            await js.publish(message.subject, data, { headers: restored });
        }
    }
})));
/** Replaces the description of a stream, which holds the schema version. */
export const setDescription = (url, stream, description) => Effect.scoped(Effect.flatMap(connection(url), (client) => Effect.promise(async () => {
    const manager = await client.jetstreamManager();
    const { config } = await manager.streams.info(stream);
    await manager.streams.update(stream, { ...config, description });
})));
/** The format of an entry: an optional expiry time in epoch milliseconds, a line feed, the document. */
const shiftExpiry = (body, later) => {
    const at = body.indexOf(10);
    const end = body.subarray(0, at).toString();
    return end === "" || at < 0 ? body : Buffer.concat([Buffer.from(String(Number(end) + later)), body.subarray(at)]);
};
