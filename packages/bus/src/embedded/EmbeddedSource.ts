/**
 * Takes messages of one consumer from the engine. It sleeps until a notice says that something was stored or handed back,
 * or until a delivered message is due again; no query runs meanwhile.
 *
 * A message that another process took and died with has no notice: an idle consumer therefore looks once per `ackWait`.
 */
import type { EngineError, EngineModule } from "@armoricore/embedded/EmbeddedEngine"
import { Clock, Duration, Effect, Latch, Stream } from "effect"
import * as Consumption from "../Consumption.ts"
import type { ConsumerOptions, Stored } from "../EventBus.ts"
import { pattern } from "../Subjects.ts"
import { prefixes } from "../Address.ts"
import type { Row, operations } from "./BusOperations.ts"

export const makeSource = Effect.fnUntraced(function* (
  bus: EngineModule<typeof operations>,
  connections: Stream.Stream<boolean>,
  options: ConsumerOptions,
  held: string,
  asBus: (error: EngineError) => EngineError,
  stored: (row: Row) => Stored,
) {
  const { name, from } = options
  const subject = from === "all-events" ? undefined : pattern(from)
  const table = from !== "all-events" && from.channel === "work" ? "bus_work" : "bus_event"
  const ackWait = Duration.toMillis(options.ackWait ?? Consumption.defaults.ackWait)
  const maxDeliveries = Consumption.busDeliveries(options)
  const key = { name, table, subject } as const
  const available = yield* Latch.make(true)
  let wakeAt = 0

  yield* bus.notices(`ready/${subject ?? prefixes.event}`, () => available.openUnsafe()).pipe(Effect.mapError(asBus))
  // Notices are missed while the owner is away. Ends with the consumer's scope.
  yield* Effect.forkScoped(Stream.runForEach(connections, () => available.open))

  const call = <A>(effect: Effect.Effect<A, EngineError>) => Effect.mapError(effect, asBus)
  const move = (operation: "retry" | "working", seq: number, attempt: number, millis: number) =>
    Clock.currentTimeMillis.pipe(
      Effect.flatMap((now) => {
        // The column takes whole numbers alone, and a wait may have a fraction of a millisecond.
        const due = Math.ceil(now + millis)
        return operation === "working"
          ? bus.call("working", { name, seq, attempt, due })
          : bus.call("retry", { name, seq, attempt, due, subject: subject ?? prefixes.event })
      }),
      call,
      Effect.asVoid,
    )

  const source: Consumption.Source = {
    ready: () =>
      Effect.suspend(() =>
        available.isOpen()
          ? Effect.void
          : Effect.flatMap(Clock.currentTimeMillis, (now) =>
              Effect.raceFirst(available.await, Effect.sleep(Math.max(0, wakeAt - now))),
            ),
      ),
    take: Effect.fnUntraced(function* (max) {
      const now = yield* Clock.currentTimeMillis
      // Closed before the query: a notice about anything that it does not see opens it again.
      available.closeUnsafe()
      const { rows, exhausted, nextDue } = yield* bus
        .call("take", { ...key, max, now, ackWait, maxDeliveries, held })
        .pipe(
          call,
          Effect.onError(() => available.open),
        )
      wakeAt = Math.min(nextDue, now + ackWait)
      if (rows.length === max) available.openUnsafe()
      if (exhausted.length > 0) {
        yield* Effect.logError(
          `Consumer ${name} delivered these messages ${maxDeliveries} times and gives them up; they stay stored`,
          exhausted,
        )
      }
      return rows.map((row): Consumption.Taken => ({
        delivery: { ...stored(row), attempt: row.attempt },
        sequence: row.seq,
        ack: call(bus.call("ack", { name, table, seq: row.seq })),
        retry: (millis) => move("retry", row.seq, row.attempt, millis),
        working: move("working", row.seq, row.attempt, ackWait),
      }))
    }),
    stop: Effect.void,
    depth: Effect.flatMap(Clock.currentTimeMillis, (now) => call(bus.call("depth", { ...key, now }))),
  }
  return source
})
