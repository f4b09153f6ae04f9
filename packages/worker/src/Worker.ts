/**
 * The one worker loop, for media, notify, ai and whatever comes:
 *
 *     decode → authorise → claim → handle → decide → publish what was decided → ack
 *
 * Concurrency scenarios it answers:
 * - The process dies anywhere: the message comes again. Before `decide` the work is done again under a new token;
 *   after it the same bytes are published again under the same ids.
 * - Two processes hold one message (a lease ran out while its owner was stopped): both may work, one decides; the
 *   other's `decide` fails with `Conflict` and it tells nothing.
 * - SIGTERM: pulling stops, running handlers get `grace` to finish, the rest is interrupted, its claims are released
 *   without counting a try, and the bus hands the messages to others at once.
 * - A poison message holds no slot while it waits for its next try.
 */
import { live } from "@armoricore/bus/Address"
import { type Delivery, type Disposition, EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, type Conflict, TransientError } from "@armoricore/domain/Errors"
import type { EventType, PayloadOf } from "@armoricore/domain/Events"
import type { StateError } from "@armoricore/state/KeyValue"
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Metric,
  Option,
  Result,
  Schedule,
  type Scope,
  type Tracer,
} from "effect"
import { Headers as HttpHeaders, HttpTraceContext } from "effect/http"
import type { Handler, HandlerError, Incoming, Job } from "./Handler.ts"
import { type Claim, type Decision, Ledger, type Outbound } from "./Ledger.ts"
import * as Letter from "./Letter.ts"
import { type Outcome, toOutbound } from "./Outcome.ts"
import { delayAfter, RetryPolicy } from "./Retry.ts"
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

const encoder = new TextEncoder()
const ack: Disposition = { _tag: "Ack" }
const retry = (after: Duration.Duration): Disposition => ({ _tag: "Retry", after })

const isoTime = (millis: number): string => new Date(millis).toISOString()

/**
 * Runs a service's handlers until the scope closes; then drains. `service` is the source of the events it publishes
 * and part of its consumers' names.
 */
export const run = Effect.fn("Worker.run")(function* <R>(
  service: "media" | "notify" | "ai" | "realtime",
  handlers: ReadonlyArray<Handler<R>>,
): Effect.fn.Return<void, TransientError | ConfigurationError, R | EventBus | Ledger | Scope.Scope> {
  const bus = yield* EventBus
  const ledger = yield* Ledger
  const policy = yield* RetryPolicy
  const times = yield* WorkerTimes
  const owner = `${service}-${crypto.randomUUID()}`

  const publish = (outbound: Outbound) =>
    bus
      .publish({ address: outbound.address, id: outbound.id, body: encoder.encode(outbound.body) })
      .pipe(Effect.tap(() => Metrics.count(Metrics.published, service, { type: typeOf(outbound) })))

  /** Publishes what was decided; everything in it is repeatable. */
  const tell = (consumer: string, delivery: Delivery, decision: Decision, attempts: number, firstAt: number) =>
    Effect.forEach(decision.outbound, publish, { discard: true }).pipe(
      Effect.flatMap((): Effect.Effect<Disposition> =>
        decision.deadLetter === undefined
          ? Effect.succeed(ack)
          : Letter.disposition(service, consumer, delivery, { ...decision.deadLetter, path: "", attempts, firstAt }),
      ),
    )

  const broadcast = <T extends EventType>(incoming: Incoming<R>, type: T, payload: PayloadOf<T>) =>
    Effect.gen(function* () {
      // Every live event is a new one: its id follows from nothing that could repeat.
      const which = crypto.randomUUID()
      const outbound = yield* toOutbound(service, incoming.cause, { _tag: "Event", type, payload, which })
      yield* bus.broadcast(live(type), encoder.encode(outbound.body))
    }).pipe(
      // Live events are worth nothing later: a bus that is away just now must not fail the job.
      Effect.catch((error) => Effect.logDebug("a live event was not sent", { type, error: error.message })),
    )

  const work = Effect.fnUntraced(function* (
    consumer: string,
    handler: Handler<R>,
    incoming: Incoming<R>,
    claim: Claim,
  ) {
    const job: Job = {
      cause: incoming.cause,
      token: claim.token,
      attempts: claim.attempts,
      broadcast: (type, payload) => broadcast(incoming, type, payload),
    }
    const limit = handler.timeLimit ?? Duration.hours(1)
    const renewing = claim.renew.pipe(
      Effect.retry({
        while: (error) => error._tag === "TransientError",
        schedule: Schedule.spaced(Duration.millis(Duration.toMillis(times.lease) / 10)),
      }),
      Effect.delay(Duration.millis(Duration.toMillis(times.lease) / 3)),
      Effect.forever,
    )
    const decide = (outcomes: ReadonlyArray<Outcome>, attempts: number, letter?: Decision["deadLetter"]) =>
      Effect.gen(function* () {
        const origin = { ...incoming.cause, traceparent: yield* currentTraceparent }
        const outbound = yield* Effect.forEach(outcomes, (outcome) => toOutbound(service, origin, outcome))
        const decision: Decision = { outbound, ...(letter === undefined ? {} : { deadLetter: letter }) }
        yield* claim.decide(decision, attempts)
        return { decision, attempts }
      })
    const finish = (result: string) => Metrics.count(Metrics.finished, service, { type: incoming.type, result })

    const exit = yield* incoming.handle(job).pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () =>
          Effect.fail(
            new TransientError({
              dependency: service,
              code: "timeout",
              message: `the work took longer than ${Duration.format(limit)}`,
            }),
          ),
      }),
      Effect.raceFirst(renewing),
      Effect.onInterrupt(() =>
        claim.release({ failed: false }).pipe(
          // Without it the lease runs out by itself.
          Effect.catch((error) => Effect.logWarning(`a claim was not released: ${error.message}`)),
        ),
      ),
      Effect.exit,
    )
    if (Exit.isSuccess(exit)) {
      yield* finish("succeeded")
      return yield* decide(exit.value, claim.attempts + 1)
    }
    const cause = exit.cause
    if (Cause.hasInterruptsOnly(cause)) return yield* Effect.interrupt
    const error = Option.getOrElse(
      Cause.findErrorOption(cause),
      () =>
        new TransientError({
          dependency: service,
          code: "internal_error",
          message: "an unexpected fault in the service",
          cause: Cause.squash(cause),
        }),
    )
    const now = isoTime(yield* Clock.currentTimeMillis)
    switch (error._tag) {
      case "Conflict":
        return yield* error
      case "PermanentError": {
        yield* Effect.logInfo(`failed for good: ${error.message}`, { code: error.code })
        yield* finish("failed")
        const failure = { code: error.code, message: error.message }
        return yield* decide(incoming.failed(failure, now), claim.attempts + 1)
      }
      case "ConfigurationError": {
        yield* Effect.logError(`configuration fault: ${error.message}`, { setting: error.setting })
        yield* Metrics.count(Metrics.retried, service, { type: incoming.type, reason: "configuration" })
        yield* claim.release({ failed: false })
        return retry(times.configurationPause)
      }
      case "TransientError": {
        if (error.waiting === true) {
          yield* Metrics.count(Metrics.retried, service, { type: incoming.type, reason: error.code })
          yield* claim.release({ failed: false })
          return retry(yield* delayAfter(policy, 1, error.retryAfterMillis))
        }
        const failures = claim.attempts + 1
        const known = Result.isSuccess(Cause.findError(cause))
        yield* Effect.logWarning(`try ${failures} of ${policy.maxAttempts} failed: ${error.message}`, {
          dependency: error.dependency,
          code: error.code,
          ...(known ? {} : { cause: Cause.pretty(cause) }),
        })
        if (failures >= policy.maxAttempts) {
          yield* finish("exhausted")
          const failure = { code: error.code, message: error.message }
          return yield* decide(incoming.failed(failure, now), failures, { reason: error.code, message: error.message })
        }
        yield* Metrics.count(Metrics.retried, service, { type: incoming.type, reason: error.code })
        yield* claim.release({ failed: true })
        return retry(yield* delayAfter(policy, failures, error.retryAfterMillis))
      }
    }
  })

  const receive = (consumer: string, handler: Handler<R>) => (delivery: Delivery) =>
    Effect.gen(function* () {
      const read = yield* Effect.result(handler.read(delivery))
      if (Result.isFailure(read)) {
        const { reason, message, path } = read.failure
        return yield* Letter.disposition(service, consumer, delivery, {
          reason,
          message,
          path,
          attempts: 1,
          firstAt: delivery.arrivedAt,
        })
      }
      const incoming = read.success
      yield* Metrics.count(Metrics.consumed, service, { type: incoming.type })
      const claimed = yield* ledger.claim(`${consumer}.${incoming.key}`, owner, times.lease)
      switch (claimed._tag) {
        case "Held":
          return retry(Duration.max(claimed.remaining, Duration.millis(50)))
        case "Decided":
          yield* Metrics.count(Metrics.finished, service, { type: incoming.type, result: "repeated" })
          return yield* tell(consumer, delivery, claimed.decision, claimed.attempts, claimed.firstAt)
        case "Claimed": {
          const started = yield* Clock.currentTimeMillis
          const end = yield* work(consumer, handler, incoming, claimed.claim)
          const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
          yield* Metric.update(Metric.withAttributes(Metrics.duration, { service, type: incoming.type }), seconds)
          if (!("decision" in end)) return end
          return yield* tell(consumer, delivery, end.decision, end.attempts, claimed.claim.firstAt)
        }
      }
    }).pipe(
      Effect.catch((error) => handBack(error)),
      Effect.annotateLogs({ service, message_id: delivery.id }),
      Effect.withSpan(`${service} ${handler.name}`, spanOf(delivery)),
    )

  /** The bus or the state failed under us, or the lease is somebody else's now: nothing of it is the message's fault. */
  const handBack = (error: HandlerError | Conflict | StateError) =>
    Effect.gen(function* () {
      yield* Effect.logWarning(`handed back: ${error.message}`)
      if (error._tag === "Conflict") return retry(times.lease)
      if (error._tag === "TransientError") return retry(yield* delayAfter(policy, 1, error.retryAfterMillis))
      return retry(times.configurationPause)
    })

  const consumers = yield* Effect.forEach(handlers, (handler) => {
    const name = `${service}-${handler.name}`
    return bus.consume(
      {
        name,
        from: handler.from(service),
        concurrency: handler.concurrency ?? 1,
        ...(handler.gate === undefined ? {} : { gate: handler.gate }),
      },
      receive(name, handler),
    )
  })
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

const typeOf = ({ address }: Outbound): string => (address.channel === "event" ? address.type : `work.${address.kind}`)

/** The header wins over the body's field: a bus client may know the trace better than what was written earlier. */
const spanOf = (delivery: Delivery): Tracer.SpanOptions => {
  const text = Letter.headerOf(delivery, "traceparent") ?? traceparentInBody(delivery.body)
  if (text === undefined) return { kind: "consumer" }
  return Option.match(HttpTraceContext.w3c(HttpHeaders.fromInput({ traceparent: text })), {
    onNone: () => ({ kind: "consumer" }),
    onSome: (parent) => ({ kind: "consumer", parent }),
  })
}

const traceparentInBody = (body: Uint8Array): string | undefined =>
  /"traceparent"\s*:\s*"([0-9a-f-]{55})"/.exec(new TextDecoder().decode(body))?.[1]

const currentTraceparent: Effect.Effect<string | undefined> = Effect.map(Effect.option(Effect.currentSpan), (span) =>
  Option.isNone(span) ? undefined : HttpTraceContext.toHeaders(span.value)["traceparent"],
)
