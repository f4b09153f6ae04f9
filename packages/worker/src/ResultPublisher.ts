/** Publishes the results of handlers: decided ones, early ones, and ephemeral broadcasts. */
import { ephemeral } from "@armoricore/bus/Address"
import {
  type Delivery,
  type Disposition,
  type EventBus,
  type OutgoingMessage,
  publishAll as publishAllOn,
  type PublishError,
} from "@armoricore/bus/EventBus"
import { type Conflict, TransientError } from "@armoricore/domain/Errors"
import type { EventType, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { StateError } from "@armoricore/state/KeyValue"
import { Effect, type Exit } from "effect"
import type { Decision, OutboundMessage } from "./ledger/Ledger.ts"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"
import { type CausingEvent, type ResultMessage, toOutboundMessage } from "./ResultMessage.ts"
import * as TraceContext from "./TraceContext.ts"
import * as Metrics from "./WorkerMetrics.ts"

/** `service` becomes the source of the events. Hot path: `publish` and `toDecision` run once per message, without spans. */
export const make = (service: string, bus: EventBus["Service"]) => {
  const outgoing = ({ address, body, id }: OutboundMessage, traceparent: string | undefined): OutgoingMessage => ({
    address,
    id,
    body: encoder.encode(body),
    ...(traceparent === undefined ? {} : { headers: { traceparent } }),
  })

  const publishFrom = (outbound: OutboundMessage, traceparent: string | undefined) =>
    Effect.andThen(
      bus.publish(outgoing(outbound, traceparent)),
      Metrics.increment(Metrics.published, service, { type: typeLabelOf(outbound) }),
    )

  const publishMessage = (outbound: OutboundMessage) =>
    Effect.flatMap(TraceContext.currentTraceparent, (traceparent) => publishFrom(outbound, traceparent))

  /** The results of one message are published in order. */
  const publishInOrder = ({ decision, traceparent }: DecidedMessage): Effect.Effect<void, PublishError> =>
    Effect.forEach(decision.outbound, (one) => publishFrom(one, traceparent), { discard: true })

  /** Publishes the results of several messages, none of which has a dead letter. One exit for each message. */
  const publishAll = (
    messages: ReadonlyArray<DecidedMessage>,
  ): Effect.Effect<ReadonlyArray<Exit.Exit<unknown, PublishError>>> => {
    const single = messages.flatMap(({ decision: { outbound }, traceparent }) => {
      const [only, ...others] = outbound
      return only === undefined || others.length > 0 ? [] : [{ only, traceparent }]
    })
    if (single.length < messages.length)
      return Effect.forEach(messages, (message) => Effect.exit(publishInOrder(message)), { concurrency: "unbounded" })
    return Effect.withFiber(({ context }) =>
      Effect.map(
        publishAllOn(
          bus,
          single.map(({ only, traceparent }) => outgoing(only, traceparent)),
        ),
        (exits) => {
          single.forEach(({ only }, at) => {
            if (exits[at]?._tag === "Success")
              Metrics.record(context, Metrics.published, service, { type: typeLabelOf(only) })
          })
          return exits
        },
      ),
    )
  }

  /** Publishes a decision. Ids are stored with it, so publishing it again is harmless. */
  const publish = (consumer: string, delivery: Delivery, decision: Decision, attempts: number, firstAt: number) =>
    Effect.flatMap(
      decision.outbound.length === 0
        ? Effect.void
        : Effect.forEach(decision.outbound, publishMessage, { discard: true }),
      (): Effect.Effect<Disposition> =>
        decision.deadLetter === undefined
          ? acknowledged
          : DeadLetterRecord.disposition(service, consumer, delivery, {
              path: "",
              ...decision.deadLetter,
              attempts,
              firstAt,
            }),
    )

  const broadcast = <T extends EventType>(cause: CausingEvent, type: T, payload: PayloadOf<T>): Effect.Effect<void> =>
    Effect.gen(function* () {
      // An ephemeral event is never published twice, so its id is random.
      const discriminator = crypto.randomUUID()
      const outbound = yield* toOutboundMessage(service, cause, { _tag: "Event", type, payload, discriminator })
      yield* bus.broadcast(ephemeral(type), encoder.encode(outbound.body))
    }).pipe(
      // An ephemeral event is useless later, so an unavailable bus must not fail the job.
      Effect.catch((error) => Effect.logDebug("An ephemeral event was not published", { type, error: error.message })),
    )

  const toDecision = (cause: CausingEvent, results: ReadonlyArray<ResultMessage>, deadLetter: Decision["deadLetter"]) =>
    results.length === 0 && deadLetter === undefined
      ? Effect.succeed(emptyDecision)
      : buildDecision(cause, results, deadLetter)

  const buildDecision = Effect.fnUntraced(function* (
    cause: CausingEvent,
    results: ReadonlyArray<ResultMessage>,
    deadLetter: Decision["deadLetter"],
  ) {
    const origin = { ...cause, traceparent: yield* TraceContext.currentTraceparent }
    const outbound = yield* Effect.forEach(results, (result) => toOutboundMessage(service, origin, result))
    const decision: Decision = { outbound, ...(deadLetter === undefined ? {} : { deadLetter: deadLetter }) }
    return decision
  })

  /** Publishes a result while the job is still running, if this worker still has the lease. */
  const publishEarly = Effect.fnUntraced(function* (
    cause: CausingEvent,
    renewLease: Effect.Effect<void, Conflict | StateError>,
    result: ResultMessage,
  ) {
    yield* Effect.catchTag(renewLease, "Conflict", ({ key }) =>
      Effect.fail(
        new TransientError({
          dependency: service,
          code: "lease_lost",
          message: `another worker has the lease of ${key}, or the job was cancelled`,
          countsAsAttempt: false,
        }),
      ),
    )
    yield* publishMessage(
      yield* toOutboundMessage(service, { ...cause, traceparent: yield* TraceContext.currentTraceparent }, result),
    )
  })

  return { broadcast, toDecision, publish, publishAll, publishEarly }
}

/** A message whose decision is recorded, and the trace of its handler. */
export interface DecidedMessage {
  readonly decision: Decision
  readonly traceparent: string
}

const encoder = new TextEncoder()
const acknowledged: Effect.Effect<Disposition> = Effect.succeed({ _tag: "Ack" })
/** The publisher of one service. */
export type ResultPublisher = ReturnType<typeof make>

const emptyDecision: Decision = { outbound: [] }

const typeLabelOf = ({ address }: OutboundMessage): string =>
  address.channel === "event" ? address.type : `work.${address.kind}`
