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
import type { Delivery, Disposition, Lane, LaneMessage, PublishError } from "@armoricore/bus/EventBus"
import * as EventCodec from "@armoricore/domain/EventCodec"
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
  readonly context: () => Context.Context<never>
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

const ack: Disposition = { _tag: "Ack" }
/** Another owner or a cancellation changed the record: the next delivery reads which one. */
const afterConflict = Duration.millis(100)
const afterFailure = Duration.seconds(1)

/** Shared by all jobs of a lane. */
interface LaneRuntime {
  readonly context: Context.Context<never>
  readonly annotations: Readonly<Record<string, unknown>>
  readonly consumer: string
  readonly onSucceeded: (job: Job, results: ReadonlyArray<ResultMessage>) => void
  readonly onRedelivered: (job: Job, after: Duration.Duration) => void
  readonly runningJobs: RunningJobs
}

/** A class, because a message has no more than this one object. */
class Job implements LaneJob {
  onCancelled: (() => void) | undefined = undefined
  readonly event: AnyEvent
  /** In the ledger. */
  readonly key: string
  readonly message: LaneMessage
  readonly startedAt: number
  private readonly delivery: Omit<Delivery, "inProgress">
  private readonly span: Tracer.ExternalSpan
  private readonly runtime: LaneRuntime

  constructor(
    runtime: LaneRuntime,
    event: AnyEvent,
    delivery: Omit<Delivery, "inProgress">,
    message: LaneMessage,
    span: Tracer.ExternalSpan,
    startedAt: number,
  ) {
    this.event = event
    this.key = `${runtime.consumer}.${event.event_id}`
    this.message = message
    this.startedAt = startedAt
    this.delivery = delivery
    this.span = span
    this.runtime = runtime
  }

  get bytes(): number {
    return this.delivery.body.byteLength
  }

  get cause() {
    const { event_id, request_id } = this.event
    return { eventId: event_id, requestId: request_id, traceparent: TraceContext.toTraceparent(this.span) }
  }

  context(): Context.Context<never> {
    const { annotations, consumer, context } = this.runtime
    const { id, subject } = this.delivery
    return Context.add(Context.add(context, Tracer.ParentSpan, this.span), References.CurrentLogAnnotations, {
      ...annotations,
      consumer,
      subject,
      message_id: id,
    })
  }

  succeed(results: ReadonlyArray<ResultMessage>): void {
    this.runtime.onSucceeded(this, results)
  }

  decline(): void {
    this.runtime.runningJobs.remove(this.key)
    this.message.decline()
  }

  redeliver(after: Duration.Duration): void {
    this.runtime.onRedelivered(this, after)
  }
}

/** The results of a job, before and after the decision. */
interface Outcome {
  readonly job: Job
  readonly key: string
  readonly firstAt: number
  readonly decision: Decision
  readonly traceparent: string
}

export const make = (options: Options): Lane => {
  const { clock, consumer, handler, ledger, policy, publisher, runningJobs, service, type } = options
  // Flat, so that each message adds to it without a copy.
  const context = Context.makeUnsafe<never>(options.context.mapUnsafe)
  const labels = { type }
  const succeededLabels = { type, result: "succeeded" }
  const fork = Effect.runForkWith(context)
  let pulled: Array<Job> = []
  let ended: Array<readonly [Job, ReadonlyArray<ResultMessage>]> = []

  const redeliver = ({ key, message }: Job, after: Duration.Duration) => {
    runningJobs.remove(key)
    message.settle({ _tag: "Retry", after })
  }

  const runtime: LaneRuntime = {
    context,
    annotations: Context.get(context, References.CurrentLogAnnotations),
    consumer,
    runningJobs,
    onSucceeded: (job, results) => {
      // Those that end in the same turn are decided together.
      if (ended.push([job, results]) === 1) queueMicrotask(() => void fork(decideAll))
    },
    onRedelivered: (job, after) => {
      Metrics.record(context, Metrics.consumed, service, labels)
      redeliver(job, after)
    },
  }

  /** The bus or the state failed, or another owner or a cancellation changed the record. The message is not at fault. */
  const undecided = (job: Job, cause: Cause.Cause<StateError | PublishError>) => {
    redeliver(job, afterFailure)
    return Effect.logWarning("The message is redelivered", cause)
  }

  const allUndecided = (outcomes: ReadonlyArray<Outcome>) => (cause: Cause.Cause<StateError>) =>
    Effect.forEach(outcomes, ({ job }) => undecided(job, cause), { discard: true })

  const publish = (outcomes: ReadonlyArray<Outcome>) =>
    Effect.matchCauseEffect(publisher.publishAll(outcomes), {
      onSuccess: (exits) => {
        const failures: Array<Effect.Effect<void>> = []
        outcomes.forEach(({ job }, at) => {
          const exit = exits[at]
          if (exit?._tag === "Failure") return void failures.push(undecided(job, exit.cause))
          runningJobs.remove(job.key)
          job.message.settle(ack)
        })
        const succeeded = outcomes.length - failures.length
        if (succeeded > 0) Metrics.record(context, Metrics.finished, service, succeededLabels, succeeded)
        return failures.length === 0 ? Effect.void : Effect.all(failures, { discard: true })
      },
      onFailure: allUndecided(outcomes),
    })

  const decideAll = Effect.suspend(() => {
    const now = clock.currentTimeMillisUnsafe()
    const all = ended
    ended = []
    Metrics.record(context, Metrics.consumed, service, labels, all.length)
    const outcomes = all.map(([job, results]): Outcome => {
      Metrics.record(context, Metrics.duration, service, labels, (now - job.startedAt) / 1_000)
      const { cause, key, startedAt } = job
      const decision = { outbound: results.map((result) => outboundMessageAt(now, service, cause, result)) }
      return { job, key, firstAt: startedAt, decision, traceparent: cause.traceparent }
    })
    return Effect.matchCauseEffect(ledger.decideNew(outcomes), {
      onSuccess: (isDecided) => {
        const decided = outcomes.filter(({ job }, at) => {
          if (isDecided[at] !== true) redeliver(job, afterConflict)
          return isDecided[at]
        })
        return decided.length === 0 ? Effect.void : publish(decided)
      },
      onFailure: allUndecided(outcomes),
    })
  })

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
      const job = new Job(runtime, event, delivery, message, span, clock.currentTimeMillisUnsafe())
      runningJobs.add(job.key, () => job.onCancelled?.())
      pulled.push(job)
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
