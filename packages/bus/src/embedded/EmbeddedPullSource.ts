/**
 * Leases messages of one consumer from the engine. It sleeps until a notification reports a new or nacked message, or
 * until a delivered message is due again; no query runs meanwhile.
 *
 * A message whose process died sends no notification: an idle consumer therefore polls once per `ackWait`.
 */
import type { EngineError, EngineModule } from "@armoricore/embedded/EmbeddedEngine"
import { Clock, Duration, Effect, Latch, Stream } from "effect"
import * as ConsumerLoop from "../ConsumerLoop.ts"
import type { ConsumerOptions, StoredMessage } from "../EventBus.ts"
import { pattern } from "../Subjects.ts"
import { event, prefixes, subject as subjectOf } from "../Address.ts"
import type { Row, operations } from "./BusOperations.ts"

export const skippedSubjects = ({ skips = [] }: Pick<ConsumerOptions, "skips">): ReadonlySet<string> =>
  new Set(skips.map((type) => subjectOf(event(type))))

/** In milliseconds: acknowledgements that no pull takes along are sent after this time. */
const ackDelay = 5
/** After so many notifications of skipped messages, the position moves past them, so that no query passes over many. */
const maxSkippedNotifications = 256

export const makePullSource = Effect.fnUntraced(function* (
  bus: EngineModule<typeof operations>,
  connections: Stream.Stream<boolean>,
  options: ConsumerOptions,
  ownerId: string,
  asBusError: (error: EngineError) => EngineError,
  toStoredMessage: (row: Row) => StoredMessage,
) {
  const { name, from } = options
  const subject = from === "all-events" ? undefined : pattern(from)
  const table = from !== "all-events" && from.channel === "work" ? "bus_work" : "bus_event"
  const ackWait = Duration.toMillis(options.ackWait ?? ConsumerLoop.defaults.ackWait)
  const maxDeliveries = ConsumerLoop.brokerMaxDeliver(options)
  const skipped = skippedSubjects(options)
  const key = { name, table, subject } as const
  const available = yield* Latch.make(true)
  let wakeAt = 0

  let skippedNotifications = 0
  const onReady = (topic: string): void => {
    const isSkipped = skipped.has(topic.slice("ready/".length)) && ++skippedNotifications < maxSkippedNotifications
    if (isSkipped) return
    skippedNotifications = 0
    available.openUnsafe()
  }
  yield* bus.subscribe(`ready/${subject ?? prefixes.event}`, onReady).pipe(Effect.mapError(asBusError))
  // Notifications are missed while the folder's owner is away. Ends with the consumer's scope.
  yield* Effect.forkScoped(Stream.runForEach(connections, () => available.open))

  const mapErrors = <A>(effect: Effect.Effect<A, EngineError>) => Effect.mapError(effect, asBusError)
  const setDue = (operation: "retry" | "working", seq: number, attempt: number, millis: number) =>
    Clock.currentTimeMillis.pipe(
      Effect.flatMap((now) => {
        // The column holds integers, and a delay may have a fraction of a millisecond.
        const due = Math.ceil(now + millis)
        return operation === "working"
          ? bus.call("extendLease", { name, seq, attempt, due })
          : bus.call("retry", { name, seq, attempt, due, subject: subject ?? prefixes.event })
      }),
      mapErrors,
      Effect.asVoid,
    )

  /**
   * Acknowledgements do not hold up their slots: they go with the next pull, in one transaction with it, or after a few
   * milliseconds. A crash before that repeats the deliveries, as a crash before an acknowledgement always does.
   */
  let acked: Array<number> = []
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  let ackTimer: NodeJS.Timeout | undefined
  const takeAcked = (): ReadonlyArray<number> => {
    clearTimeout(ackTimer)
    ackTimer = undefined
    const sequences = acked
    acked = []
    return sequences
  }
  const addAcked = (sequences: ReadonlyArray<number>): void => {
    acked.push(...sequences)
    if (acked.length > 0) ackTimer ??= setTimeout(() => void fork(sendAcked), ackDelay)
  }
  const sendAcked = Effect.suspend(() => {
    const sequences = takeAcked()
    return sequences.length === 0
      ? Effect.void
      : Effect.catch(bus.call("ack", { name, table, sequences }), (error) =>
          Effect.logWarning(
            `Consumer ${name} could not acknowledge ${sequences.length} messages; the bus redelivers them when their ack wait is over`,
            error,
          ),
        )
  })
  yield* Effect.addFinalizer(() => sendAcked)

  const source: ConsumerLoop.PullSource = {
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
      // Closed before the query: a notification about a message that the query does not see opens it again.
      available.closeUnsafe()
      const sequences = takeAcked()
      const { rows, parkedIds, nextDue } = yield* bus
        .call("take", { ...key, max, now, ackWait, maxDeliveries, ownerId, acked: sequences })
        .pipe(
          mapErrors,
          Effect.onError(() => {
            // The engine may have stored them; it does no harm to store them again.
            addAcked(sequences)
            return available.open
          }),
        )
      wakeAt = Math.min(nextDue, now + ackWait)
      if (rows.length === max) available.openUnsafe()
      if (parkedIds.length > 0) {
        yield* Effect.logError(
          `Consumer ${name} delivered these messages ${maxDeliveries} times and stops; they stay stored for inspection`,
          parkedIds,
        )
      }
      return rows.map((row): ConsumerLoop.LeasedMessage => ({
        delivery: { ...toStoredMessage(row), deliveryCount: row.attempt },
        sequence: row.seq,
        ack: Effect.sync(() => addAcked([row.seq])),
        nack: (millis) => setDue("retry", row.seq, row.attempt, millis),
        inProgress: setDue("working", row.seq, row.attempt, ackWait),
      }))
    }),
    stop: Effect.void,
    settled: sendAcked,
    depth: Effect.andThen(
      sendAcked,
      Effect.flatMap(Clock.currentTimeMillis, (now) => mapErrors(bus.call("depth", { ...key, now }))),
    ),
  }
  return source
})
