/**
 * Exchanges and queues, made or checked. All are durable, all queues are quorum queues: RabbitMQ compares their arguments
 * and refuses others, which becomes a sentence here.
 *
 * What no consumer is bound to yet is held in `armoricore.unrouted`; a consumer's first queue takes what is its own from
 * there, so that a publisher may come before any worker.
 */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Duration, Effect } from "effect"
import type { Channel } from "rabbitmq-client"
import * as Consumption from "../Consumption.ts"
import type { ConsumerOptions } from "../EventBus.ts"
import * as Limits from "../Limits.ts"
import { matcher, pattern } from "../Subjects.ts"
import type { RabbitConnection } from "./RabbitConnection.ts"
import * as RabbitMessage from "./RabbitMessage.ts"
import { consumerQueue, exchanges, queues, source } from "./RabbitNames.ts"
import type { RabbitOptions } from "./RabbitOptions.ts"
import * as RabbitSchema from "./RabbitSchema.ts"

const quorum = {
  "x-queue-type": "quorum",
  // A full queue refuses, so that the publisher learns of it; nothing stored is thrown away for something new.
  "x-overflow": "reject-publish",
  // RabbitMQ 4 drops after 20 without it; how often a message is delivered is this program's to say.
  "x-delivery-limit": 1_000_000,
} as const

const declareExchanges = async (channel: Channel) => {
  for (const exchange of [exchanges.unrouted, exchanges.parked]) {
    await channel.exchangeDeclare({ exchange, type: "fanout", durable: true })
  }
  for (const exchange of [exchanges.event, exchanges.work]) {
    const held = { "alternate-exchange": exchanges.unrouted }
    await channel.exchangeDeclare({ exchange, type: "topic", durable: true, arguments: held })
  }
  for (const exchange of [exchanges.dead, exchanges.live, exchanges.delay, exchanges.back]) {
    await channel.exchangeDeclare({ exchange, type: "topic", durable: true })
  }
}

/** Everything but consumers; one line each. */
export const ensure = Effect.fnUntraced(function* (connection: RabbitConnection, options: RabbitOptions) {
  const maxBytes = options.maxBytes ?? Limits.defaults.maxBytes
  const quarter = Math.ceil(maxBytes / 4)
  const numbered = yield* RabbitSchema.ensure(connection)
  yield* connection.once("exchanges", declareExchanges)
  const stores = [
    {
      queue: queues.unrouted,
      exchange: exchanges.unrouted,
      key: "",
      more: { "x-max-length-bytes": maxBytes, "x-message-ttl": Duration.toMillis(Limits.defaults.eventAge) },
    },
    { queue: queues.parked, exchange: exchanges.parked, key: "", more: { "x-max-length-bytes": quarter } },
    { queue: queues.dead, exchange: exchanges.dead, key: "#", more: { "x-max-length-bytes": quarter } },
  ]
  for (const { queue, exchange, key, more } of stores) {
    yield* connection.once(`queue ${queue}`, async (channel) => {
      await channel.queueDeclare({ queue, durable: true, arguments: { ...quorum, ...more } })
      await channel.queueBind({ queue, exchange, routingKey: key })
    })
  }
  return [
    numbered,
    ...Object.values(exchanges).map((exchange) => `exchange ${exchange}: ready`),
    ...stores.map(({ queue }) => `queue ${queue}: ready`),
  ]
})

/** Makes or checks the queue of a consumer and binds it. */
export const ensureConsumer = Effect.fnUntraced(function* (
  connection: RabbitConnection,
  options: RabbitOptions,
  wanted: Pick<ConsumerOptions, "name" | "from">,
) {
  yield* Consumption.checkName(wanted)
  const queue = consumerQueue(wanted.name)
  const from = pattern(wanted.from)
  const { exchange, key } = source(wanted.from)
  const args = {
    ...quorum,
    "x-max-length-bytes": options.maxBytes ?? Limits.defaults.maxBytes,
    "x-dead-letter-exchange": exchanges.parked,
    "x-dead-letter-strategy": "at-least-once",
    // Bindings cannot be asked for, arguments are compared: this is how a name that reads something else is noticed.
    "x-dead-letter-routing-key": from,
  }
  yield* connection
    .once(`queue ${queue}`, async (channel) => {
      await channel.queueDeclare({ queue, durable: true, arguments: args })
      await channel.queueBind({ queue, exchange: exchanges.back, routingKey: `*.${wanted.name}` })
      await channel.queueBind({ queue, exchange, routingKey: key })
    })
    .pipe(
      Effect.mapError((error) => {
        const other = /'x-dead-letter-routing-key'.*current is '([^']*)'/.exec(error.message)?.[1]
        return other === undefined
          ? error
          : new ConfigurationError({
              setting: `consumer ${wanted.name}`,
              message: `Consumer ${wanted.name} reads ${other}; choose another name for ${from}`,
            })
      }),
    )
  const taken = yield* connection.once(`queue ${queues.unrouted}`, (channel) => collect(channel, queue, from))
  return `consumer ${wanted.name} on ${from}: ready${taken === 0 ? "" : `, took ${taken} that waited for it`}`
})

/** Moves what was held for this pattern into the queue: there first, then gone here. */
const collect = async (channel: Channel, queue: string, from: string): Promise<number> => {
  const { messageCount } = await channel.queueDeclare({ queue: queues.unrouted, passive: true })
  if (messageCount === 0) return 0
  const wants = matcher(from)
  const foreign: Array<number> = []
  let taken = 0
  await channel.confirmSelect()
  for (let left = messageCount; left > 0; left--) {
    const message = await channel.basicGet({ queue: queues.unrouted })
    if (message === undefined) break
    const now = Date.now()
    if (wants(RabbitMessage.stored(message, now).subject)) {
      const envelope = RabbitMessage.forwarded(message, now, 0, 0)
      await channel.basicPublish({ ...envelope, routingKey: queue }, message.body)
      channel.basicAck({ deliveryTag: message.deliveryTag })
      taken++
    } else foreign.push(message.deliveryTag)
  }
  for (const deliveryTag of foreign) channel.basicNack({ deliveryTag, requeue: true })
  return taken
}
