/**
 * The whole bus in the memory of one process, for tests and experiments. Nothing survives the layer. Time is Effect's
 * Clock, so a test can control it.
 */
import { ConfigurationError, NotFound } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Exit, Layer, Stream } from "effect"
import { type StoredAddress, deadLetterType, prefixes, subject } from "../Address.ts"
import * as ConsumerLoop from "../ConsumerLoop.ts"
import {
  type ConsumerOptions,
  EventBus,
  type OutgoingMessage,
  type PublishExit,
  type StoredDeadLetter,
} from "../EventBus.ts"
import * as Limits from "../Limits.ts"
import * as Subscribers from "../Subscribers.ts"
import { matcher, pattern } from "../Subjects.ts"
import { type QueuedMessage, MemoryConsumer } from "./MemoryConsumer.ts"

type Channel = StoredAddress["channel"]

const fresh: PublishExit = Exit.succeed({ duplicate: false })
const duplicate: PublishExit = Exit.succeed({ duplicate: true })

const make = Effect.gen(function* () {
  const subscribers = yield* Subscribers.make
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const scope = yield* Effect.scope
  const consumers = new Map<string, MemoryConsumer>()
  const items: Record<Channel, Map<number, QueuedMessage>> = { event: new Map(), work: new Map(), dead: new Map() }
  const recentIds: Record<Channel, Map<string, number>> = { event: new Map(), work: new Map(), dead: new Map() }
  const duplicateWindow = Duration.toMillis(Limits.defaults.duplicateWindow)
  let sequence = 0

  const store = (message: OutgoingMessage, arrivedAt: number): PublishExit => {
    const { channel } = message.address
    const target = subject(message.address)
    const bytes = Limits.messageBytes(message.body, message.headers)
    const limit = channel === "dead" ? Limits.maxDeadLetterBytes : Limits.maxMessageBytes
    if (bytes > limit) return Exit.fail(Limits.tooLarge(target, bytes, limit))
    const fault = Limits.headerFault(message.id, message.headers)
    if (fault !== undefined) return Exit.fail(fault)
    for (const [id, at] of recentIds[channel]) {
      if (at > arrivedAt - duplicateWindow) break
      recentIds[channel].delete(id)
    }
    if (recentIds[channel].has(message.id)) return duplicate
    recentIds[channel].set(message.id, arrivedAt)
    const stored = {
      subject: target,
      id: message.id,
      headers: { ...message.headers },
      body: message.body.slice(),
      arrivedAt,
    }
    const item: QueuedMessage = { sequence: ++sequence, stored }
    items[channel].set(item.sequence, item)
    for (const consumer of consumers.values()) if (consumer.matches(target)) consumer.add(item)
    if (channel === "event") subscribers.publish(stored)
    return fresh
  }
  const publish: EventBus["Service"]["publish"] = (message) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => store(message, now))

  const ensure = Effect.fnUntraced(function* (options: Pick<ConsumerOptions, "name" | "from">) {
    yield* ConsumerLoop.checkName(options)
    const from = pattern(options.from)
    const existing = consumers.get(options.name)
    if (existing !== undefined) {
      if (existing.from === from) return existing
      return yield* new ConfigurationError({
        setting: `consumer ${options.name}`,
        message: `Consumer ${options.name} reads ${existing.from}; choose another name for ${from}`,
      })
    }
    const channel = options.from === "all-events" ? "event" : options.from.channel
    const consumer = new MemoryConsumer(from, (settled) => {
      if (channel === "work") items.work.delete(settled.sequence)
    })
    for (const item of items[channel].values()) if (consumer.matches(item.stored.subject)) consumer.add(item)
    consumers.set(options.name, consumer)
    return consumer
  })

  const toDeadLetter = (item: QueuedMessage): StoredDeadLetter => ({
    ...item.stored,
    deadLetterId: String(item.sequence),
  })
  const findDeadLetter = (deadLetterId: string) =>
    Effect.suspend(() => {
      const found = items.dead.get(Number(deadLetterId))
      return found === undefined
        ? Effect.fail(new NotFound({ resource: "dead letter", id: deadLetterId }))
        : Effect.succeed(found)
    })

  return EventBus.of({
    system: "armoricore.memory",
    publish,
    publishMany: (messages) =>
      Effect.map(Clock.currentTimeMillis, (now) => messages.map((message) => store(message, now))),
    consume: Effect.fnUntraced(function* (options, handle) {
      const consumer = yield* ensure(options)
      const schedule = (millis: number, then: () => void) =>
        void fork(Effect.forkIn(Effect.andThen(Effect.sleep(millis), Effect.sync(then)), scope))
      return yield* ConsumerLoop.run(options, consumer.source(schedule), handle, publish)
    }),
    broadcast: Effect.fnUntraced(function* (address, body, headers) {
      const bytes = Limits.messageBytes(body, headers)
      if (bytes > Limits.maxMessageBytes) return yield* Limits.tooLarge(subject(address), bytes, Limits.maxMessageBytes)
      const fault = Limits.headerFault("", headers)
      if (fault !== undefined) return yield* fault
      subscribers.publish({ subject: subject(address), headers: { ...headers }, body: body.slice() })
    }),
    subscribe: (address, onMessage, onGap) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => subscribers.add(pattern(address), onMessage, onGap)),
          (remove) => Effect.sync(remove),
        ),
      ),
    removeHandled: (text, matches) =>
      Effect.sync(() => {
        const handled = [...items.event.values()].filter(
          ({ sequence, stored: { body } }) =>
            ![...consumers.values()].some((consumer) => consumer.isUnsettled(sequence)) &&
            Buffer.from(body).includes(text) &&
            matches(body),
        )
        for (const item of handled) items.event.delete(item.sequence)
        return handled.length
      }),
    deadLetters: {
      list: (filter) =>
        Effect.sync(() => {
          const matches = matcher(
            `${prefixes.dead}${filter.service ?? "*"}.${filter.type === undefined ? ">" : deadLetterType(filter.type)}`,
          )
          return [...items.dead.values()]
            .filter((item) => item.sequence > Number(filter.after ?? 0) && matches(item.stored.subject))
            .slice(0, filter.limit)
            .map(toDeadLetter)
        }),
      get: (deadLetterId) => Effect.map(findDeadLetter(deadLetterId), toDeadLetter),
      remove: (deadLetterId) =>
        Effect.map(findDeadLetter(deadLetterId), (item) => void items.dead.delete(item.sequence)),
    },
    setup: Effect.fnUntraced(function* (wanted) {
      yield* Effect.forEach(wanted, ensure, { discard: true })
      return wanted.map(({ name, from }) => `consumer ${name} on ${pattern(from)}: in memory`)
    }),
    status: Effect.succeed("connected"),
    statusChanges: Stream.concat(Stream.succeed("connected" as const), Stream.never),
  })
})

export const layer: Layer.Layer<EventBus> = Layer.effect(EventBus, make)
