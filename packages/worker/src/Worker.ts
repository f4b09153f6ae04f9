/**
 * The one worker loop, for media, notify, ai and whatever comes:
 *
 *     decode → authorise → (lane) → claim → handle → decide → publish what was decided → ack
 *
 * Concurrency scenarios it answers:
 * - The process dies anywhere: the message comes again. Before `decide` the work is done again under a new token;
 *   after it the same bytes are published again under the same ids. A message whose owners keep dying ends as a dead
 *   letter `crashed`.
 * - Two processes hold one message (a lease ran out while its owner was stopped): both may work, one decides; the
 *   other's `decide` fails with `Conflict` and it tells nothing.
 * - Two messages touch one thing: a handler with a `key` works on one of them at a time, in the order of arrival.
 * - Somebody cancels a running job: its handler is interrupted, and the next to claim it tells that it was cancelled.
 * - SIGTERM: pulling stops, running handlers get `grace` to finish, the rest is interrupted, its claims are released
 *   without counting a try, and the bus hands the messages to others at once.
 * - A poison message holds no slot while it waits for its next try.
 */
import { type Delivery, type Disposition, EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors"
import type { OwnSource } from "@armoricore/domain/Events"
import type { StateError } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Exit, Option, Schedule, type Scope } from "effect"
import * as Attempt from "./Attempt.ts"
import { rightsOf } from "./Authorization.ts"
import * as Cancellation from "./Cancellation.ts"
import type { Handler, HandlerError, Incoming, Job } from "./Handler.ts"
import { type Claim, Ledger } from "./Ledger.ts"
import * as Letter from "./Letter.ts"
import type { Outcome } from "./Outcome.ts"
import { delayAfter, policyOf } from "./Retry.ts"
import { RunningConsumers } from "./RunningConsumers.ts"
import * as Telling from "./Telling.ts"
import * as Trace from "./Trace.ts"
import * as Metrics from "./WorkerMetrics.ts"

/** Times of the loop. */
export interface WorkerTimes {
  /** How long a claim lives without a sign of its owner. */
  readonly lease: Duration.Duration
  /** How long running handlers may go on after the service was told to stop. */
  readonly grace: Duration.Duration
  /** How long a message waits whose handler found a configuration fault. */
  readonly configurationPause: Duration.Duration
}
export const WorkerTimes = Context.Reference<WorkerTimes>("@armoricore/worker/WorkerTimes", {
  defaultValue: () => ({
    lease: Duration.seconds(30),
    grace: Duration.seconds(20),
    configurationPause: Duration.seconds(60),
  }),
})

/** Owners in a row that may vanish from a message before it counts as their murderer. */
export const MaxCrashes = Context.Reference<number>("@armoricore/worker/MaxCrashes", { defaultValue: () => 20 })

const ack: Disposition = { _tag: "Ack" }
const acked = Effect.succeed(ack)
const defaultLimit = Duration.hours(1)
const retry = (after: Duration.Duration): Disposition => ({ _tag: "Retry", after })

/** A service that this program is made of, or `webhook` and `operator`, which publish nothing by themselves. */
export type ServiceName = OwnSource | "webhook" | "operator"

/**
 * Runs a service's handlers until the scope closes; then drains. `service` is the source of the events it publishes
 * and part of its consumers' names.
 */
export const run = Effect.fn("Worker.run")(function* <R>(
  service: ServiceName,
  handlers: ReadonlyArray<Handler<R>>,
): Effect.fn.Return<void, TransientError | ConfigurationError, R | EventBus | Ledger | Scope.Scope> {
  const bus = yield* EventBus
  const ledger = yield* Ledger
  const servicePolicy = yield* policyOf(service)
  const times = yield* WorkerTimes
  const maxCrashes = yield* MaxCrashes
  const clock = yield* Clock.Clock
  const rights = yield* Effect.withFiber((fiber) => Effect.succeed(rightsOf(fiber)))
  const owner = `${service}-${crypto.randomUUID()}`
  const running = yield* Cancellation.listen
  const board = yield* RunningConsumers

  const { broadcast, decisionOf, tell, tellEarly } = Telling.make(service, bus)

  const jobOf = (
    incoming: Incoming<R>,
    message: Delivery,
    token: number,
    attempts: number,
    hold: Effect.Effect<void, Conflict | StateError>,
  ): Job => ({
    cause: incoming.cause,
    message,
    token,
    attempts,
    broadcast: (type, payload) => broadcast(incoming.cause, type, payload),
    tell: (outcome) => tellEarly(incoming.cause, hold, outcome),
  })

  const rulesOf = (handler: Handler<R>, attempts: number): Attempt.Rules => ({
    service,
    policy: handler.retry === undefined ? servicePolicy : { ...servicePolicy, ...handler.retry },
    configurationPause: times.configurationPause,
    attempts,
  })

  const limitOf = (handler: Handler<R>) => Attempt.limited(service, handler.timeLimit ?? defaultLimit)

  /** The handler under its lease. What is done at once is over before anybody could renew, time or cancel it. */
  const attempt = (handler: Handler<R>, delivery: Delivery, incoming: Incoming<R>, claim: Claim, key: string) => {
    const limit = limitOf(handler)
    const handling = incoming.handle(jobOf(incoming, delivery, claim.token, claim.attempts, claim.renew))
    return Attempt.inPlace(handling, (rest) =>
      running.cancellable(key)(
        Effect.raceFirst(limit(rest), renewing(claim)),
        Effect.suspend(() => Effect.fail(new Conflict({ key }))),
      ),
    ).pipe(
      Effect.onInterrupt(() =>
        claim.release({ failed: false }).pipe(
          // Without it the lease runs out by itself.
          Effect.catch((error) => Effect.logDebug(`a claim was not released: ${error.message}`)),
        ),
      ),
      Effect.exit,
      Effect.flatMap((exit) => Attempt.judge(rulesOf(handler, claim.attempts + (incoming.tried ?? 0)), incoming, exit)),
    )
  }

  /** Never ends by itself but by the loss of the lease. */
  const renewing = (claim: Claim) =>
    claim.renew.pipe(
      Effect.retry({
        while: (error) => error._tag === "TransientError",
        schedule: Schedule.spaced(Duration.millis(Duration.toMillis(times.lease) / 10)),
      }),
      Effect.delay(Duration.millis(Duration.toMillis(times.lease) / 3)),
      Effect.forever,
    )

  const endOf = (handler: Handler<R>, delivery: Delivery, incoming: Incoming<R>, claim: Claim, key: string) => {
    if (claim.cancelled !== undefined) return Attempt.cancelled(incoming, claim.cancelled, claim.attempts)
    if (claim.abandoned < maxCrashes) return attempt(handler, delivery, incoming, claim, key)
    const message = `${claim.abandoned} processes in a row ended while they worked on it`
    return Attempt.exhausted(incoming, { code: "crashed", message }, claim.attempts)
  }

  const work = (consumer: string, handler: Handler<R>, delivery: Delivery, incoming: Incoming<R>) => {
    const key = `${consumer}.${incoming.key}`
    return incoming.lane === undefined
      ? workOnce(consumer, handler, delivery, incoming, key)
      : workInLane(consumer, handler, delivery, incoming, key, `${service}.${incoming.lane}`)
  }

  const workInLane = Effect.fnUntraced(function* (
    consumer: string,
    handler: Handler<R>,
    delivery: Delivery,
    incoming: Incoming<R>,
    key: string,
    lane: string,
  ) {
    const { position } = yield* ledger.lanes.enter(lane, key, delivery.arrivedAt)
    if (position > 0) return retry(pauseAt(position, delivery.attempt))
    return yield* workOnce(consumer, handler, delivery, incoming, key, {
      leave: ledger.lanes.leave(lane, key),
      keep: (after) => ledger.lanes.keep(lane, key, after),
    })
  })

  /** Under a claim. */
  const workOnce = (
    consumer: string,
    handler: Handler<R>,
    delivery: Delivery,
    incoming: Incoming<R>,
    key: string,
    lane?: Turn,
  ) =>
    Effect.flatMap(ledger.claim(key, owner, times.lease), (claimed) => {
      switch (claimed._tag) {
        case "Held":
          return Effect.succeed(retry(Duration.max(claimed.remaining, Duration.millis(50))))
        case "Decided": {
          const { attempts, decision, firstAt } = claimed
          return Metrics.count(Metrics.finished, service, { type: incoming.type, result: "repeated" }).pipe(
            Effect.andThen(tell(consumer, delivery, decision, attempts, firstAt)),
            Effect.tap(() => lane?.leave ?? Effect.void),
          )
        }
        case "Claimed": {
          const { claim } = claimed
          const started = clock.currentTimeMillisUnsafe()
          return Effect.flatMap(endOf(handler, delivery, incoming, claim, key), (end) =>
            conclude(consumer, delivery, incoming, claim, end, started, lane),
          )
        }
      }
    })

  const conclude = (
    consumer: string,
    delivery: Delivery,
    incoming: Incoming<R>,
    claim: Claim,
    end: Attempt.End,
    started: number,
    lane: Turn | undefined,
  ) =>
    Effect.withFiber(({ context }) => {
      const { type } = incoming
      const seconds = (clock.currentTimeMillisUnsafe() - started) / 1000
      Metrics.note(context, Metrics.duration, service, { type }, seconds)
      if (end._tag === "Again") {
        return claim
          .release({ failed: end.failed })
          .pipe(Effect.andThen(lane === undefined ? Effect.void : lane.keep(end.after)), Effect.as(retry(end.after)))
      }
      Metrics.note(context, Metrics.finished, service, { type, result: end.result })
      const told = Effect.flatMap(decisionOf(incoming.cause, end.outcomes, end.letter), (decision) =>
        Effect.flatMap(claim.decide(decision, end.attempts), () =>
          tell(consumer, delivery, decision, end.attempts, claim.firstAt),
        ),
      )
      return lane === undefined ? told : Effect.tap(told, () => lane.leave)
    })

  /** Without a ledger: what is told has the same ids each time. */
  const workRepeatable = (consumer: string, handler: Handler<R>, delivery: Delivery, incoming: Incoming<R>) => {
    const attempts = delivery.attempt - 1
    const handling = incoming.handle(jobOf(incoming, delivery, delivery.attempt, attempts, Effect.void))
    return Effect.matchCauseEffect(Attempt.inPlace(handling, limitOf(handler)), {
      onFailure: (cause) => endRepeatable(consumer, handler, delivery, incoming, Exit.failCause(cause)),
      onSuccess: (outcomes) =>
        outcomes.length === 0
          ? Effect.as(Metrics.count(Metrics.finished, service, { type: incoming.type, result: "succeeded" }), ack)
          : endRepeatable(consumer, handler, delivery, incoming, Exit.succeed(outcomes)),
    })
  }

  const endRepeatable = Effect.fnUntraced(function* (
    consumer: string,
    handler: Handler<R>,
    delivery: Delivery,
    incoming: Incoming<R>,
    exit: Exit.Exit<ReadonlyArray<Outcome>, HandlerError>,
  ) {
    const end = yield* Attempt.judge(rulesOf(handler, delivery.attempt - 1), incoming, exit)
    if (end._tag === "Again") return retry(end.after)
    yield* Metrics.count(Metrics.finished, service, { type: incoming.type, result: end.result })
    if (end.outcomes.length === 0 && end.letter === undefined) return ack
    const decision = yield* decisionOf(incoming.cause, end.outcomes, end.letter)
    return yield* tell(consumer, delivery, decision, end.attempts, delivery.arrivedAt)
  })

  /** The bus or the state failed under us, or the lease is somebody else's now: nothing of it is the message's fault. */
  const handBack = (error: HandlerError | Conflict | StateError) =>
    Effect.gen(function* () {
      // Whoever took the record (a successor, a cancellation) is found by looking again; a living lease says how long.
      if (error._tag === "Conflict") return retry(Duration.millis(100))
      yield* Effect.logWarning(`handed back: ${error.message}`)
      if (error._tag === "TransientError") return retry(yield* delayAfter(servicePolicy, 1, error.retryAfterMillis))
      return retry(times.configurationPause)
    })

  const receive = (consumer: string, handler: Handler<R>) => {
    const name = `${service} ${handler.name}`
    const carryOut = handler.repeatable === true ? workRepeatable : work
    const handle = (context: Context.Context<never>, delivery: Delivery, incoming: Incoming<R>) => {
      Metrics.note(context, Metrics.consumed, service, { type: incoming.type })
      return Effect.suspend(() => carryOut(consumer, handler, delivery, incoming)).pipe(
        Effect.catch(handBack),
        Trace.within(name, delivery, incoming.cause.traceparent, incoming.about),
      )
    }
    /** What cannot be read, no consumer of an event can; of work there is one alone. */
    const from = handler.from(service)
    const everyone = from === "all-events" || from.channel === "event" ? ({ shared: true } as const) : {}
    const readAndHandle = (delivery: Delivery) =>
      Effect.withFiber(({ context }): Effect.Effect<Disposition, never, R> =>
        Effect.matchEffect(handler.read(delivery, rights), {
          onSuccess: (incoming) => handle(context, delivery, incoming),
          onFailure: ({ message, path, reason }) =>
            Letter.disposition(service, consumer, delivery, {
              reason,
              message,
              path,
              attempts: 1,
              firstAt: delivery.arrivedAt,
              ...everyone,
            }),
        }),
      )
    return (delivery: Delivery): Effect.Effect<Disposition, never, R> => {
      const onlyFor = Letter.headerOf(delivery, Letter.replayForHeader)
      if (onlyFor === undefined || onlyFor === consumer) return readAndHandle(delivery)
      // Whoever publishes can write a header; it must not make a message vanish.
      return ledger.replays.isNoted(delivery, onlyFor).pipe(
        Effect.flatMap((noted) => (noted ? acked : readAndHandle(delivery))),
        Effect.catch(handBack),
      )
    }
  }

  const consumers = yield* Effect.forEach(handlers, (handler) => {
    const name = `${service}-${handler.name}`
    const { ackWait, gate, maxDeliveries } = handler
    const consumer = bus.consume(
      {
        name,
        from: handler.from(service),
        concurrency: handler.concurrency ?? 1,
        ...(gate === undefined ? {} : { gate }),
        ...(ackWait === undefined ? {} : { ackWait }),
        ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
        exhausted: Letter.exhausted(service, name),
      },
      receive(name, handler),
    )
    return Effect.tap(consumer, ({ depth }) => board.add({ name, service, depth }))
    // Handlers inherit it: nothing is annotated for each event.
  }).pipe(Effect.annotateLogs({ service }))
  // Runs before the consumers' own finalizers: what finishes within the grace is told and acknowledged.
  yield* Effect.addFinalizer(() =>
    Effect.forEach(consumers, (consumer) => consumer.drain, { concurrency: "unbounded", discard: true }).pipe(
      Effect.timeoutOption(times.grace),
      Effect.flatMap((drained) =>
        Option.isSome(drained)
          ? Effect.void
          : Effect.logWarning(`work of ${service} is handed back: it did not end within the grace`),
      ),
    ),
  )
})

/** A message's place at the head of its lane. */
interface Turn {
  readonly leave: Effect.Effect<void, Conflict | StateError>
  readonly keep: (after: Duration.Duration) => Effect.Effect<void, Conflict | StateError>
}

/**
 * How soon a message that is not at the head of its lane asks again: the nearer, the sooner, and never so late that a
 * lane of quick work stands still; a head that takes its time is asked after less and less often.
 */
const pauseAt = (position: number, attempt: number): Duration.Duration =>
  Duration.millis(Math.min(10_000, 50 * Math.min(position, 20) * 2 ** Math.min(4, attempt / 64)))
