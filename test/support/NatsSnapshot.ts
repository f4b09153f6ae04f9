/**
 * What a NATS server holds of the program, as text: the configuration of every stream and durable consumer as the server
 * tells it, and every message. Restored into an empty server the streams are as they were; the consumers begin at the
 * first message again, as after `nats stream restore` of the messages alone, so that everything is delivered once more.
 */
import { Effect, Schema } from "effect"
import { connect, headers, type NatsConnection, type StreamConfig } from "nats"

const Message = Schema.Struct({
  sequence: Schema.Int,
  subject: Schema.String,
  headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
  /** Base64. */
  body: Schema.String,
})

const Config = Schema.Record(Schema.String, Schema.Unknown)

export const NatsSnapshot = Schema.Struct({
  streams: Schema.Array(
    Schema.Struct({ config: Config, consumers: Schema.Array(Config), messages: Schema.Array(Message) }),
  ),
})
export type NatsSnapshot = typeof NatsSnapshot.Type

const connection = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(() => connect({ servers: url })),
    (client) => Effect.promise(() => client.close()),
  )

const messagesOf = async (client: NatsConnection, stream: string, first: number, last: number) => {
  const manager = await client.jetstreamManager()
  const found: Array<typeof Message.Type> = []
  for (let sequence = first; sequence <= last; sequence++) {
    const stored = await manager.streams.getMessage(stream, { seq: sequence }).catch(() => undefined)
    if (stored === undefined) continue
    found.push({
      sequence,
      subject: stored.subject,
      headers: stored.header.keys().map((name) => [name, stored.header.get(name)] as const),
      body: Buffer.from(stored.data).toString("base64"),
    })
  }
  return found
}

export const take = Effect.fnUntraced(function* (url: string): Effect.fn.Return<NatsSnapshot, never, never> {
  return yield* Effect.scoped(
    Effect.flatMap(connection(url), (client) =>
      Effect.promise(async () => {
        const manager = await client.jetstreamManager()
        const streams: Array<NatsSnapshot["streams"][number]> = []
        for (const { config, state } of await manager.streams.list().next()) {
          const consumers = await manager.consumers.list(config.name).next()
          streams.push({
            config: { ...config },
            consumers: consumers.map((consumer) => ({ ...consumer.config })),
            messages: await messagesOf(client, config.name, state.first_seq, state.last_seq),
          })
        }
        return { streams }
      }),
    ),
  )
})

/** `later`: milliseconds between then and now, by which the ends of state entries are moved, so that none has expired. */
export const restore = (url: string, snapshot: NatsSnapshot, later: number): Effect.Effect<void> =>
  Effect.scoped(
    Effect.flatMap(connection(url), (client) =>
      Effect.promise(async () => {
        const manager = await client.jetstreamManager()
        const js = client.jetstream()
        for (const { config, consumers, messages } of snapshot.streams) {
          // As the server gave it; only the server could say more of its shape.
          await manager.streams.add(config as Partial<StreamConfig>)
          for (const consumer of consumers) await manager.consumers.add(String(config["name"]), consumer)
          for (const message of messages) {
            const kept = headers()
            for (const [name, value] of message.headers) {
              // Expected sequences of the original stream do not apply to a new one.
              if (!name.startsWith("Nats-Expected-")) kept.set(name, value)
            }
            const body = Buffer.from(message.body, "base64")
            const data = message.subject.startsWith("$KV.") ? shiftExpiry(body, later) : body
            await js.publish(message.subject, data, { headers: kept })
          }
        }
      }),
    ),
  )

/** Has the server say something else about a stream. */
export const setDescription = (url: string, stream: string, description: string): Effect.Effect<void> =>
  Effect.scoped(
    Effect.flatMap(connection(url), (client) =>
      Effect.promise(async () => {
        const manager = await client.jetstreamManager()
        const { config } = await manager.streams.info(stream)
        await manager.streams.update(stream, { ...config, description })
      }),
    ),
  )

/** An entry is its end in epoch milliseconds, if it has one, a line's end, and the document. */
const shiftExpiry = (body: Buffer, later: number): Buffer => {
  const at = body.indexOf(10)
  const end = body.subarray(0, at).toString()
  return end === "" || at < 0 ? body : Buffer.concat([Buffer.from(String(Number(end) + later)), body.subarray(at)])
}
