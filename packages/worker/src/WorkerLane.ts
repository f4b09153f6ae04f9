/**
 * The worker loop for messages that are handled in arrays, as a {@link Lane} of the bus. The steps are those of `Worker`:
 *
 *     decode → authorize → the handler's own claim → handle → decide → publish the decision → ack
 *
 * but the messages of one pull start together, and those that end in one turn of the event loop are decided, published and
 * acknowledged together. No message has a fiber. The lane takes only first deliveries that need no signature check, no
 * partition and no span of a tracer, and whose handler claims them by its own first write. Every other message, and one that
 * the handler declines, goes to `Worker`. What goes wrong later is not judged here either: the message returns to the bus,
 * and its next delivery goes to `Worker`, which finds the claim and the decision.
 */
import type { Delivery, Disposition, Lane, LaneMessage } from "@armoricore/bus/EventBus"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { PortError } from "@armoricore/domain/Errors"
import type { AnyEvent } from "@armoricore/domain/EventRegistry"
import type { StateError } from "@armoricore/state/KeyValue"
import { Cause, type Clock, Context, Duration, Effect, References, Result, Tracer } from "effect"
import type { RunningJobs } from "./control/Cancellation.ts"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"
import type { Decision, Ledger } from "./ledger/Ledger.ts"
import { type PublishPolicy, rejectionOf, requiresSignature } from "./PublishPolicy.ts"
import { outboundMessageAt, type ResultMessage } from "./ResultMessage.ts"
import type { ResultPublisher } from "./ResultPublisher.ts"
import * as TraceContext from "./TraceContext.ts"
import * as Metrics from "./WorkerMetrics.ts"

/** One message in the lane. Exactly one of its ends is called, once. */
export interface LaneJob<E = AnyEvent> {
  readonly event: E
  /** The size of the message. */
  readonly bytes: number
  /** Has the span and the log annotations of the message. */
  readonly context: Context.Context<never>
  /** The results to decide and publish. */
  readonly succeed: (results: ReadonlyArray<ResultMessage>) => void
  /** Nothing was written or sent: the ordinary handler continues. */
  readonly decline: () => void
  /** The claim stays. The next delivery goes to the ordinary handler, which finds it. */
  readonly redeliver: (after: Duration.Duration) => void
  /** Interrupts the work, if the job is cancelled. */
  onCancelled: (() => void) | undefined
}

export interface LaneHandler<E = AnyEvent> {
  /** Whether the lane is made for this event. A guess from the event alone: the job may be declined later. */
  readonly accepts: (event: E) => boolean
  /** Starts all jobs of a pull. Must not block or throw. */
  readonly start: (jobs: ReadonlyArray<LaneJob<E>>) => void
  /** Interrupts all jobs and redelivers their messages at once; succeeds once that is done. */
  readonly stop: Effect.Effect<void>
}

export interface Options {
  readonly service: string
  readonly consumer: string
  readonly type: string
  readonly handler: LaneHandler
  readonly policy: PublishPolicy
  readonly ledger: Ledger["Service"]
  readonly publisher: ResultPublisher
  readonly runningJobs: RunningJobs
  readonly clock: Clock.Clock
  readonly context: Context.Context<never>
}

interface RunningJob {
  readonly key: string
  readonly message: LaneMessage
  readonly cause: { readonly eventId: string; readonly requestId: string | undefined; readonly traceparent: string }
  readonly startedAt: number
}

const ack: Disposition = { _tag: "Ack" }
/** Another owner or a cancellation changed the record: the next delivery reads which one. */
const afterConflict = Duration.millis(100)
const afterFailure = Duration.seconds(1)
const together = { concurrency: "unbounded", discard: true } as const

export const make = (options: Options): Lane => {
  const { clock, consumer, handler, ledger, policy, publisher, runningJobs, service, type } = options
  // Flat, so that each message adds to it without a copy.
  const context = Context.makeUnsafe<never>(options.context.mapUnsafe)
  const labels = { type }
  const annotations = Context.get(context, References.CurrentLogAnnotations)
  const fork = Effect.runForkWith(context)
  let pulled: Array<LaneJob> = []
  let ended: Array<readonly [RunningJob, ReadonlyArray<ResultMessage>]> = []

  const redeliver = ({ key, message }: RunningJob, after: Duration.Duration) => {
    runningJobs.remove(key)
    message.settle({ _tag: "Retry", after })
  }

  const succeededLabels = { type, result: "succeeded" }

  /** The bus or the state failed, or another owner or a cancellation changed the record. The message is not at fault. */
  const undecided = (running: RunningJob, cause: Cause.Cause<StateError | PortError>) => {
    redeliver(running, afterFailure)
    return Effect.logWarning("The message is redelivered", cause)
  }

  const publish = (running: RunningJob, decision: Decision) =>
    Effect.matchCauseEffect(publisher.publishAll(decision, running.cause.traceparent), {
      onSuccess: () => {
        Metrics.record(context, Metrics.finished, service, succeededLabels)
        runningJobs.remove(running.key)
        running.message.settle(ack)
        return Effect.void
      },
      onFailure: (cause) => undecided(running, cause),
    })

  const decideAll = Effect.suspend(() => {
    const now = clock.currentTimeMillisUnsafe()
    const all = ended
    ended = []
    const jobs = all.map(([running, results]) => {
      const { cause, key, startedAt: firstAt } = running
      Metrics.record(context, Metrics.consumed, service, labels)
      Metrics.record(context, Metrics.duration, service, labels, (now - firstAt) / 1_000)
      const decision = { outbound: results.map((result) => outboundMessageAt(now, service, cause, result)) }
      return { running, key, firstAt, decision }
    })
    return Effect.matchCauseEffect(ledger.decideNew(jobs), {
      onSuccess: (isDecided) => {
        const decided = jobs.filter(({ running }, at) => {
          if (isDecided[at] !== true) redeliver(running, afterConflict)
          return isDecided[at]
        })
        return Effect.forEach(decided, ({ decision, running }) => publish(running, decision), together)
      },
      onFailure: (cause) => Effect.forEach(jobs, ({ running }) => undecided(running, cause), together),
    })
  })

  const jobOf = (
    event: AnyEvent,
    delivery: Omit<Delivery, "inProgress">,
    message: LaneMessage,
    span: Tracer.ExternalSpan,
  ): LaneJob => {
    const running: RunningJob = {
      key: `${consumer}.${event.event_id}`,
      message,
      cause: { eventId: event.event_id, requestId: event.request_id, traceparent: TraceContext.toTraceparent(span) },
      startedAt: clock.currentTimeMillisUnsafe(),
    }
    const job: LaneJob = {
      event,
      bytes: delivery.body.byteLength,
      context: Context.add(Context.add(context, Tracer.ParentSpan, span), References.CurrentLogAnnotations, {
        ...annotations,
        consumer,
        subject: delivery.subject,
        message_id: delivery.id,
      }),
      succeed: (results) => {
        // Those that end in the same turn are decided together.
        if (ended.push([running, results]) === 1) queueMicrotask(() => void fork(decideAll))
      },
      decline: () => {
        runningJobs.remove(running.key)
        message.decline()
      },
      redeliver: (after) => {
        Metrics.record(context, Metrics.consumed, service, labels)
        redeliver(running, after)
      },
      onCancelled: undefined,
    }
    runningJobs.add(running.key, () => job.onCancelled?.())
    return job
  }

  return {
    take: (delivery, message) => {
      if (delivery.deliveryCount !== 1) return false
      if (DeadLetterRecord.headerOf(delivery, DeadLetterRecord.replayOfHeader) !== undefined) return false
      const decoded = EventCodec.decodeResult(delivery.body)
      if (Result.isFailure(decoded)) return false
      const { event } = decoded.success
      if (event.event_type !== type || rejectionOf(policy, event) !== undefined || requiresSignature(policy, event))
        return false
      if (!handler.accepts(event)) return false
      const span = TraceContext.unrecordedSpan(context, delivery, event.traceparent, () =>
        TraceContext.eventAttributes(event),
      )
      if (span === undefined) return false
      pulled.push(jobOf(event, delivery, message, span))
      return true
    },
    flush: () => {
      if (pulled.length === 0) return
      const jobs = pulled
      pulled = []
      handler.start(jobs)
    },
    stop: handler.stop,
  }
}
