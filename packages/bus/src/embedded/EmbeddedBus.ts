/**
 * The bus on the embedded SQLite engine: durable in the data folder and shared by the processes that share the folder.
 * It needs no server. A message is published when its transaction is on disk.
 */
import { ConfigurationError, NotFound, TransientError } from "@armoricore/domain/Errors"
import { EmbeddedEngine, type EngineError } from "@armoricore/embedded/EmbeddedEngine"
import { Array as Arr, Cause, Clock, Duration, Effect, Exit, Layer, Stream } from "effect"
import { deadLetterType, subject } from "../Address.ts"
import * as ConsumerLoop from "../ConsumerLoop.ts"
import {
  type ConsumerOptions,
  EventBus,
  type OutgoingMessage,
  type PublishExit,
  type ReceivedMessage,
  type StoredMessage,
  type StoredDeadLetter,
} from "../EventBus.ts"
import * as Limits from "../Limits.ts"
import * as Subscribers from "../Subscribers.ts"
import { allEvents, pattern } from "../Subjects.ts"
import type { PublishOutcome, Row, Table, operations } from "./BusOperations.ts"
import { makePullSource, skippedSubjects } from "./EmbeddedPullSource.ts"

export interface EmbeddedBusOptions {
  /** While the data folder holds more, publishing events and work fails with `full`. Default 4 GiB. */
  readonly maxBytes?: number
  /** Events older than this are deleted, handled or not. Default 7 days. */
  readonly eventAge?: Duration.Duration
}

const tables = { event: "bus_event", work: "bus_work", dead: "bus_dead" } as const satisfies Record<string, Table>

/** Events that a search reads at once. */
const searchPage = 200

/** Other operations wait for the transaction. */
const publishedAtOnce = 256

const make = Effect.fnUntraced(function* (options: EmbeddedBusOptions) {
  const engine = yield* EmbeddedEngine
  const window = Duration.toMillis(Limits.defaults.duplicateWindow)
  const maxBytes = options.maxBytes ?? Limits.defaults.maxBytes
  const bus = yield* engine
    .module<typeof operations>({
      name: "bus",
      url: new URL(`./BusOperations${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
      options: { window, eventAge: Duration.toMillis(options.eventAge ?? Limits.defaults.eventAge) },
    })
    .pipe(Effect.mapError(asBusError))

  // Messages leased by a previous owner need not wait for their ack wait.
  const ownerId = engine.ownerId ?? ""
  if (ownerId !== "") {
    const now = yield* Clock.currentTimeMillis
    yield* bus.call("releaseOrphaned", { ownerId, now }).pipe(Effect.mapError(asBusError))
  }

  /** The arguments of the operation `publish`, or the reason why the message cannot be stored. */
  const rowOf = ({ address, body, headers, id }: OutgoingMessage, at: number) => {
    const target = subject(address)
    const bytes = Limits.messageBytes(body, headers)
    const limit = address.channel === "dead" ? Limits.maxDeadLetterBytes : Limits.maxMessageBytes
    if (bytes > limit) return Limits.tooLarge(target, bytes, limit)
    return (
      Limits.headerFault(id, headers) ?? {
        table: tables[address.channel],
        subject: target,
        id,
        headers: headers === undefined ? "{}" : JSON.stringify(headers),
        body: compact(body),
        at,
        window,
        maxBytes,
      }
    )
  }

  const exitOf = (outcome: PublishOutcome): PublishExit =>
    outcome === "full" ? Exit.fail(full()) : Exit.succeed({ duplicate: outcome === "duplicate" })

  const publish: EventBus["Service"]["publish"] = (message) =>
    Effect.flatMap(Clock.currentTimeMillis, (at): ReturnType<EventBus["Service"]["publish"]> => {
      const row = rowOf(message, at)
      if ("_tag" in row) return Effect.fail(row)
      return Effect.matchEffect(bus.call("publish", row, repeatable), {
        onFailure: (error) => Effect.fail(asBusError(error)),
        onSuccess: exitOf,
      })
    })

  /** Messages of one transaction: all of them are stored, or none. */
  const publishPart = (messages: ReadonlyArray<OutgoingMessage>): Effect.Effect<ReadonlyArray<PublishExit>> =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const rows = messages.map((message) => rowOf(message, at))
      const valid = rows.flatMap((row) => ("_tag" in row ? [] : [row]))
      return Effect.map(Effect.exit(bus.call("publishMany", valid, repeatable)), (outcomes): Array<PublishExit> => {
        let next = 0
        return rows.map((row) => {
          if ("_tag" in row) return Exit.fail(row)
          if (Exit.isFailure(outcomes)) return Exit.failCause(Cause.map(outcomes.cause, asBusError))
          const outcome = outcomes.value[next++]
          return outcome === undefined ? Exit.die("an outcome is missing") : exitOf(outcome)
        })
      })
    })

  const full = () =>
    new TransientError({
      dependency: "bus",
      code: "full",
      message: `The data folder ${engine.folder} holds more than ${maxBytes} bytes; publishing fails until messages or objects are deleted; free space or raise the limit`,
    })

  const ensure = Effect.fnUntraced(function* (
    wanted: Pick<ConsumerOptions, "name" | "from">,
    skips?: ReadonlySet<string>,
  ) {
    yield* ConsumerLoop.checkName(wanted)
    const source = pattern(wanted.from)
    const existing = yield* bus
      .call("ensure", { name: wanted.name, source, ...(skips === undefined ? {} : { skips: [...skips] }) })
      .pipe(Effect.mapError(asBusError))
    if (existing === source) return
    return yield* new ConfigurationError({
      setting: `consumer ${wanted.name}`,
      message: `Consumer ${wanted.name} reads ${existing}; choose another name for ${source}`,
    })
  })

  const toDeadLetter = (row: Row): StoredDeadLetter => ({ ...toStoredMessage(row), deadLetterId: String(row.seq) })
  const deadLetterNotFound = (deadLetterId: string) => new NotFound({ resource: "dead letter", id: deadLetterId })

  return EventBus.of({
    system: "armoricore.embedded",
    publish,
    publishMany: (messages) =>
      Effect.map(Effect.forEach(Arr.chunksOf(messages, publishedAtOnce), publishPart), (parts) => parts.flat()),
    consume: Effect.fnUntraced(function* (wanted, handle) {
      yield* ensure(wanted, skippedSubjects(wanted))
      const source = yield* makePullSource(bus, engine.connectedChanges, wanted, ownerId, asBusError, toStoredMessage)
      return yield* ConsumerLoop.run(wanted, source, handle, publish)
    }),
    broadcast: Effect.fnUntraced(function* (address, body, headers) {
      const target = subject(address)
      const bytes = Limits.messageBytes(body, headers)
      if (bytes > Limits.maxMessageBytes) return yield* Limits.tooLarge(target, bytes, Limits.maxMessageBytes)
      const fault = Limits.headerFault("", headers)
      if (fault !== undefined) return yield* fault
      yield* bus
        .call("broadcast", { subject: target, headers: JSON.stringify(headers ?? {}), body: compact(body) })
        .pipe(
          Effect.mapError(
            (error) => new TransientError({ dependency: "bus", code: "unavailable", message: error.message }),
          ),
        )
    }),
    subscribe: Effect.fnUntraced(function* (address, onMessage, onGap) {
      const wanted = pattern(address)
      const subscribers = yield* Subscribers.make
      subscribers.add(wanted, onMessage, onGap)
      // The engine filters by prefix where the pattern has a wildcard; the whole pattern is applied here.
      const [prefix = ""] = wanted.split(/[*>]/, 1)
      yield* bus
        .subscribe(`message/${prefix}`, (_, data) => subscribers.publish(toReceivedMessage(data)), {
          exact: prefix === wanted,
        })
        .pipe(Effect.mapError(asBusError))
      if (onGap === undefined) return
      // Ends with the subscriber's scope.
      yield* Effect.forkScoped(
        Stream.runForEach(Stream.drop(engine.connectedChanges, 1), (connected) =>
          connected ? Effect.sync(subscribers.notifyGap) : Effect.void,
        ),
      )
    }),
    removeHandled: Effect.fnUntraced(
      function* (text, matches) {
        let removed = 0
        for (let after = 0; ;) {
          const found = yield* bus.call("findEvents", { text, after, limit: searchPage, all: allEvents })
          for (const { body, isHandled, seq } of found) {
            if (isHandled && matches(body) && (yield* bus.call("removeEvent", { seq }))) removed++
          }
          after = found.at(-1)?.seq ?? after
          if (found.length < searchPage) return removed
        }
      },
      (search) => Effect.mapError(search, asBusError),
    ),
    deadLetters: {
      list: (filter) =>
        bus
          .call(
            "deadLetters",
            {
              service: filter.service ?? null,
              type: filter.type === undefined ? null : deadLetterType(filter.type),
              after: Number(filter.after ?? 0),
              limit: filter.limit,
            },
            repeatable,
          )
          .pipe(
            Effect.mapError(asBusError),
            Effect.map((rows) => rows.map(toDeadLetter)),
          ),
      get: Effect.fnUntraced(function* (deadLetterId) {
        const row = yield* bus
          .call("deadLetter", { seq: parseSequence(deadLetterId) }, repeatable)
          .pipe(Effect.mapError(asBusError))
        return row === undefined ? yield* deadLetterNotFound(deadLetterId) : toDeadLetter(row)
      }),
      remove: Effect.fnUntraced(function* (deadLetterId) {
        const removed = yield* bus
          .call("removeDeadLetter", { seq: parseSequence(deadLetterId) })
          .pipe(Effect.mapError(asBusError))
        if (!removed) return yield* deadLetterNotFound(deadLetterId)
      }),
    },
    setup: Effect.fnUntraced(function* (wanted) {
      yield* Effect.forEach(wanted, (consumer) => ensure(consumer), { discard: true })
      return [
        `bus: in ${engine.folder}`,
        ...wanted.map(({ name, from }) => `consumer ${name} on ${pattern(from)}: in ${engine.folder}`),
      ]
    }),
    status: Effect.map(engine.connected, busStatus),
    statusChanges: Stream.map(engine.connectedChanges, busStatus),
  })
})

export const layerWith = (options: EmbeddedBusOptions): Layer.Layer<EventBus, EngineError, EmbeddedEngine> =>
  Layer.effect(EventBus, make(options))

export const layer: Layer.Layer<EventBus, EngineError, EmbeddedEngine> = layerWith({})

/** A message that is published twice is stored once. */
const repeatable = { isRepeatable: true } as const

const asBusError = (error: EngineError): EngineError =>
  error._tag === "TransientError"
    ? new TransientError({ dependency: "bus", code: error.code, message: error.message })
    : error

const busStatus = (connected: boolean) => (connected ? ("connected" as const) : ("disconnected" as const))

/** Sequences start at 1, so an id that is not a number matches nothing. */
const parseSequence = (deadLetterId: string): number => (/^\d{1,15}$/.test(deadLetterId) ? Number(deadLetterId) : 0)

/** Copies the bytes: a view of a large buffer would be transferred to the thread with the whole buffer. */
const compact = (body: Uint8Array): Uint8Array =>
  body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body)

const toStoredMessage = (row: Row): StoredMessage => ({
  subject: row.subject,
  id: row.id,
  headers: headersOf(row.headers),
  body: row.body,
  arrivedAt: row.at,
})

/** The notifications that `publish` and `broadcast` in BusOperations emit. */
const toReceivedMessage = (data: unknown): ReceivedMessage => {
  const { subject, id, headers, body } = data as Pick<Row, "subject" | "headers" | "body"> & { readonly id?: string }
  return { subject, headers: headersOf(headers), body, ...(id === undefined ? {} : { id }) }
}

/** Written by `publish` from a record of strings. */
const headersOf = (text: string): StoredMessage["headers"] =>
  text === "{}" ? {} : (JSON.parse(text) as StoredMessage["headers"])
