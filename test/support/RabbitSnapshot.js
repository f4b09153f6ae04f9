/**
 * The data of the program on a RabbitMQ server, as text: exchanges, queues and bindings with their arguments, as the
 * server exports them, and every pending message. `restore` writes it to an empty virtual host. The broker rejects a
 * later declaration with different arguments, so the arguments must be those of the snapshot.
 */
import { Effect, Schema } from "effect";
import { Connection } from "rabbitmq-client";
const Arguments = Schema.Record(Schema.String, Schema.Unknown);
const Definitions = Schema.Struct({
    exchanges: Schema.Array(Schema.Struct({ vhost: Schema.String, name: Schema.String, type: Schema.String, arguments: Arguments })),
    queues: Schema.Array(Schema.Struct({ vhost: Schema.String, name: Schema.String, arguments: Arguments })),
    bindings: Schema.Array(Schema.Struct({
        vhost: Schema.String,
        source: Schema.String,
        destination: Schema.String,
        routing_key: Schema.String,
        arguments: Arguments,
    })),
});
const Message = Schema.Struct({
    exchange: Schema.String,
    routingKey: Schema.String,
    properties: Arguments,
    /** Base64. */
    body: Schema.String,
});
export const RabbitSnapshot = Schema.Struct({ ...Definitions.fields, messages: Schema.Array(Message) });
const withChannel = (url, use) => Effect.promise(async () => {
    const connection = new Connection(url);
    const channel = await connection.acquire();
    const result = await use(channel);
    await channel.close();
    await connection.close();
    return result;
});
/** `definitions`: the output of `rabbitmqctl export_definitions`. Pending messages are requeued. */
export const take = Effect.fnUntraced(function* (url, definitions) {
    const all = yield* Effect.orDie(Schema.decodeEffect(Schema.fromJsonString(Definitions))(definitions));
    const host = decodeURIComponent(new URL(url).pathname.slice(1));
    const ofHost = (entries) => entries.filter(({ vhost }) => vhost === host).map((entry) => ({ ...entry, vhost: "" }));
    const queues = ofHost(all.queues);
    const messages = yield* withChannel(url, async (channel) => {
        const pending = new Map();
        for (const { name } of queues) {
            for (;;) {
                const message = await channel.basicGet({ queue: name });
                if (message === undefined)
                    break;
                const { body, deliveryTag: _, exchange, messageCount: __, redelivered: ___, ...rest } = message;
                const { routingKey, ...properties } = rest;
                // One message may wait in several queues.
                pending.set(`${String(message.messageId)} ${exchange} ${routingKey}`, {
                    exchange,
                    routingKey,
                    properties,
                    body: Buffer.from(Buffer.isBuffer(body) ? body : JSON.stringify(body)).toString("base64"),
                });
            }
        }
        return [...pending.values()];
    });
    return { exchanges: ofHost(all.exchanges), queues, bindings: ofHost(all.bindings), messages };
});
export const restore = (url, snapshot) => withChannel(url, async (channel) => {
    for (const { arguments: args, name, type } of snapshot.exchanges) {
        await channel.exchangeDeclare({ exchange: name, type, durable: true, arguments: args });
    }
    for (const { arguments: args, name } of snapshot.queues) {
        await channel.queueDeclare({ queue: name, durable: true, arguments: args });
    }
    for (const { destination, routing_key: routingKey, source } of snapshot.bindings) {
        // The broker binds each queue to the default exchange (empty name).
        if (source !== "")
            await channel.queueBind({ queue: destination, exchange: source, routingKey });
    }
    await channel.confirmSelect();
    for (const { body, exchange, properties, routingKey } of snapshot.messages) {
        await channel.basicPublish({ ...properties, exchange, routingKey }, Buffer.from(body, "base64"));
    }
});
