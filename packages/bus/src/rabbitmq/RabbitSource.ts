/**
 * A consumer on its queue. The broker's prefetch is the number of slots, and a message counts until it is settled: there
 * are never more of them here than handlers may run. With a shared gate nothing may be pulled without a permit: then one
 * message a time is asked for, with growing pauses while there is none.
 *
 * Hazards and their answers:
 * - the connection or the channel is lost: the broker takes back what was not settled, what is buffered here is dropped,
 *   and a settlement on the old channel fails, for it would hit another message on the new one;
 * - the queue is deleted: the broker cancels the consumer, which makes its queue again;
 * - RabbitMQ knows no signs of life: a dead link is noticed by its heartbeats, a long job is bounded by `consumer_timeout`.
 */
import { Clock, Effect, Exit, Latch, Scope } from "effect"
import type { Channel } from "rabbitmq-client"
import * as Consumption from "../Consumption.ts"
import type { ConsumerOptions } from "../EventBus.ts"
import type { RabbitConnection } from "./RabbitConnection.ts"
import type { Delay } from "./RabbitDelays.ts"
import * as RabbitDepth from "./RabbitDepth.ts"
import { failure, type RabbitFailure, transient } from "./RabbitErrors.ts"
import * as RabbitMessage from "./RabbitMessage.ts"
import { consumerQueue } from "./RabbitNames.ts"

const shortestPause = 10
const longestPause = 500

interface Here {
  readonly message: RabbitMessage.Received
  readonly channel: Channel
}

export interface SourceParameters {
  readonly connection: RabbitConnection
  readonly options: ConsumerOptions
  /** Makes the consumer's queue where it is not there. */
  readonly ensure: Effect.Effect<unknown, RabbitFailure>
  readonly delay: Delay
}

export const make = Effect.fnUntraced(function* (parameters: SourceParameters) {
  const { connection, delay, ensure, options } = parameters
  const queue = consumerQueue(options.name)
  const resource = `consumer ${options.name}`
  const gated = options.gate !== undefined
  const maxDeliveries = Consumption.busDeliveries(options)
  const buffer: Array<Here> = []
  const arrived = yield* Latch.make(false)
  const held = RabbitDepth.makeHeld()
  let open: { readonly channel: Channel; readonly scope: Scope.Closeable; readonly tag: string } | undefined
  let stopped = false
  let pause = 0

  const lost = (channel: Channel) => {
    for (let index = buffer.length - 1; index >= 0; index--) {
      if (buffer[index]?.channel === channel) buffer.splice(index, 1)
    }
    arrived.openUnsafe()
  }

  const close = Effect.suspend(() => {
    const former = open
    open = undefined
    return former === undefined ? Effect.void : Scope.close(former.scope, Exit.void)
  })

  const connect = Effect.gen(function* () {
    if (open?.channel.active === true) return open.channel
    yield* close
    // Whoever stops does not wait for a broker that is away.
    yield* Effect.interruptible(Effect.andThen(connection.connected, ensure))
    const scope = yield* Scope.make()
    const channel: Channel = yield* connection
      .channel(() => lost(channel))
      .pipe(Effect.provideService(Scope.Scope, scope))
    const onMessage = (message: RabbitMessage.Received) => {
      if (stopped) return void (channel.active && channel.basicNack({ deliveryTag: message.deliveryTag }))
      buffer.push({ message, channel })
      arrived.openUnsafe()
    }
    channel.on("basic.cancel", () => {
      open = undefined
      arrived.openUnsafe()
    })
    const tag = yield* Effect.tryPromise({
      try: async () => {
        if (gated) return ""
        await channel.basicQos({ prefetchCount: options.concurrency })
        return (await channel.basicConsume({ queue }, onMessage)).consumerTag
      },
      catch: failure(resource),
    }).pipe(Effect.onError(() => Scope.close(scope, Exit.void)))
    open = { channel, scope, tag }
    return channel
  }).pipe(Effect.uninterruptible)

  const settle = ({ channel, message }: Here, how: (channel: Channel, deliveryTag: number) => void) =>
    Effect.suspend(() => {
      held.settled(message)
      if (!channel.active) {
        return Effect.fail(transient("unavailable", `The channel of ${resource} is gone; RabbitMQ delivers again`))
      }
      return Effect.try({ try: () => how(channel, message.deliveryTag), catch: failure(resource) })
    })
  const ack = (here: Here) => settle(here, (channel, deliveryTag) => channel.basicAck({ deliveryTag }))
  const giveBack = (here: Here, requeue = true) =>
    settle(here, (channel, deliveryTag) => channel.basicNack({ deliveryTag, requeue }))

  /** Stored for later first, then acknowledged. */
  const later = (here: Here, tries: number, millis: number): Effect.Effect<void, RabbitFailure> =>
    delay(here.message, options.name, tries, millis).pipe(
      Effect.catchTag("PermanentError", (error) => Effect.fail(transient("unavailable", error.message, error))),
      Effect.andThen(Clock.currentTimeMillis),
      Effect.tap((now) =>
        Effect.sync(() => held.waits(RabbitMessage.stored(here.message, now).arrivedAt, now + millis)),
      ),
      Effect.andThen(ack(here)),
    )

  const taken = Effect.fnUntraced(function* (here: Here) {
    const { message } = here
    const now = yield* Clock.currentTimeMillis
    const attempt = RabbitMessage.attempt(message)
    const left = RabbitMessage.rest(message)
    if (left > 0) return yield* Effect.as(later(here, attempt - 1, left), [])
    if (attempt > maxDeliveries) {
      yield* Effect.logError(
        `A message was delivered ${maxDeliveries} times to consumer ${options.name} and is left alone in armoricore.parked`,
      )
      return yield* Effect.as(giveBack(here, false), [])
    }
    const stored = RabbitMessage.stored(message, now)
    held.taken(message, stored.arrivedAt)
    const one: Consumption.Taken = {
      delivery: { ...stored, attempt },
      sequence: RabbitMessage.name(message),
      ack: ack(here),
      retry: (millis) => (millis <= 0 ? giveBack(here) : later(here, attempt, millis)),
      working: Effect.void,
    }
    return [one]
  })

  const pullOne = Effect.gen(function* () {
    const channel = yield* connect
    const message = yield* Effect.tryPromise({ try: () => channel.basicGet({ queue }), catch: failure(resource) })
    if (message !== undefined) buffer.push({ message, channel })
  })

  const source: Consumption.Source = {
    ready: () =>
      gated
        ? Effect.suspend(() => Effect.sleep(pause))
        : Effect.gen(function* () {
            while (buffer.length === 0) {
              arrived.closeUnsafe()
              yield* connect
              if (buffer.length === 0) yield* arrived.await
            }
          }),
    take: Effect.fnUntraced(function* (max) {
      if (gated) yield* pullOne
      const messages = buffer.splice(0, max)
      pause = messages.length > 0 ? 0 : Math.min(longestPause, Math.max(shortestPause, pause * 2))
      const found: Array<Consumption.Taken> = []
      for (const message of messages) {
        // One that could not be put off stays unsettled, and comes again when the channel ends.
        const some = yield* Effect.catch(taken(message), (error) =>
          Effect.as(Effect.logWarning(`Consumer ${options.name} cannot put a message off`, error), []),
        )
        found.push(...some)
      }
      return found
    }),
    stop: Effect.suspend(() => {
      if (stopped) return Effect.void
      stopped = true
      const current = open
      const cancel =
        current === undefined || current.tag === "" || !current.channel.active
          ? Effect.void
          : Effect.promise(() => current.channel.basicCancel(current.tag)).pipe(
              // What was on its way is handed back by the callback, one turn later.
              Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))),
              Effect.timeoutOption("2 seconds"),
              Effect.ignoreCause,
            )
      return Effect.andThen(
        cancel,
        Effect.suspend(() =>
          Effect.forEach(buffer.splice(0), (here) => Effect.ignore(giveBack(here)), { discard: true }),
        ),
      )
    }),
    depth: RabbitDepth.depth(connection, queue, held, () => buffer.length),
  }
  // Registered first, so run last: closing the channel flushes the handlers' hand-backs.
  yield* Effect.addFinalizer(() => close)
  return source
})
