/**
 * The whole bus in the memory of one process: for tests and for trying things out. Nothing outlives the layer. Time is
 * Effect's Clock, so that a test may move it.
 */
import { ConfigurationError, NotFound } from "@armoricore/domain/Errors"
import { Clock, Duration, Effect, Layer, Stream } from "effect"
import { type StoredAddress, letterType, prefixes, subject } from "../Address.ts"
import * as Consumption from "../Consumption.ts"
import { type ConsumerOptions, EventBus, type StoredLetter } from "../EventBus.ts"
import * as Limits from "../Limits.ts"
import * as Listeners from "../Listeners.ts"
import { matcher, pattern } from "../Subjects.ts"
import { type Item, MemoryConsumer } from "./MemoryConsumer.ts"

type Channel = StoredAddress["channel"]

const make = Effect.gen(function* () {
  const listeners = yield* Listeners.make
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const scope = yield* Effect.scope
  const consumers = new Map<string, MemoryConsumer>()
  const items: Record<Channel, Map<number, Item>> = { event: new Map(), work: new Map(), dead: new Map() }
  const seen: Record<Channel, Map<string, number>> = { event: new Map(), work: new Map(), dead: new Map() }
  const window = Duration.toMillis(Limits.defaults.duplicateWindow)
  let sequence = 0

  const publish: EventBus["Service"]["publish"] = Effect.fnUntraced(function* (message) {
    const { channel } = message.address
    const target = subject(message.address)
    const bytes = Limits.size(message.body, message.headers)
    const limit = channel === "dead" ? Limits.maxLetterBytes : Limits.maxMessageBytes
    if (bytes > limit) return yield* Limits.tooLarge(target, bytes, limit)
    const arrivedAt = yield* Clock.currentTimeMillis
    for (const [id, at] of seen[channel]) {
      if (at > arrivedAt - window) break
      seen[channel].delete(id)
    }
    if (seen[channel].has(message.id)) return { duplicate: true }
    seen[channel].set(message.id, arrivedAt)
    const stored = {
      subject: target,
      id: message.id,
      headers: { ...message.headers },
      body: message.body.slice(),
      arrivedAt,
    }
    const item: Item = { sequence: ++sequence, stored }
    items[channel].set(item.sequence, item)
    for (const consumer of consumers.values()) if (consumer.matches(target)) consumer.add(item)
    if (channel === "event") listeners.tell(stored)
    return { duplicate: false }
  })

  const ensure = Effect.fnUntraced(function* (options: Pick<ConsumerOptions, "name" | "from">) {
    yield* Consumption.checkName(options)
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

  const letter = (item: Item): StoredLetter => ({ ...item.stored, letterId: String(item.sequence) })
  const findLetter = (letterId: string) =>
    Effect.suspend(() => {
      const found = items.dead.get(Number(letterId))
      return found === undefined
        ? Effect.fail(new NotFound({ what: "dead letter", id: letterId }))
        : Effect.succeed(found)
    })

  return EventBus.of({
    publish,
    consume: Effect.fnUntraced(function* (options, handle) {
      const consumer = yield* ensure(options)
      const later = (millis: number, then: () => void) =>
        void fork(Effect.forkIn(Effect.andThen(Effect.sleep(millis), Effect.sync(then)), scope))
      return yield* Consumption.run(options, consumer.source(later), handle, publish)
    }),
    broadcast: Effect.fnUntraced(function* (address, body, headers) {
      const bytes = Limits.size(body, headers)
      if (bytes > Limits.maxMessageBytes) return yield* Limits.tooLarge(subject(address), bytes, Limits.maxMessageBytes)
      listeners.tell({ subject: subject(address), headers: { ...headers }, body: body.slice() })
    }),
    listen: (address, onMessage, onGap) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => listeners.add(pattern(address), onMessage, onGap)),
          (remove) => Effect.sync(remove),
        ),
      ),
    deadLetters: {
      list: (filter) =>
        Effect.sync(() => {
          const matches = matcher(
            `${prefixes.dead}${filter.service ?? "*"}.${filter.type === undefined ? ">" : letterType(filter.type)}`,
          )
          return [...items.dead.values()]
            .filter((item) => item.sequence > Number(filter.after ?? 0) && matches(item.stored.subject))
            .slice(0, filter.limit)
            .map(letter)
        }),
      get: (letterId) => Effect.map(findLetter(letterId), letter),
      remove: (letterId) => Effect.map(findLetter(letterId), (item) => void items.dead.delete(item.sequence)),
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
