/** How a service tells what its handlers made: what is decided, what is told early, and what is heard only now. */
import { ephemeral } from "@armoricore/bus/Address"
import type { Delivery, Disposition, EventBus } from "@armoricore/bus/EventBus"
import { type Conflict, TransientError } from "@armoricore/domain/Errors"
import type { EventType, PayloadOf } from "@armoricore/domain/EventRegistry"
import type { StateError } from "@armoricore/state/KeyValue"
import { Effect } from "effect"
import type { Decision, OutboundMessage } from "./ledger/Ledger.ts"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"
import { type CausingEvent, type ResultMessage, toOutboundMessage } from "./ResultMessage.ts"
import * as TraceContext from "./TraceContext.ts"
import * as Metrics from "./WorkerMetrics.ts"

/** `service`: whose events they are. */
export const make = (service: string, bus: EventBus["Service"]) => {
  const publishMessage = (outbound: OutboundMessage) =>
    Effect.flatMap(TraceContext.currentTraceparent, (traceparent) =>
      bus.publish({
        address: outbound.address,
        id: outbound.id,
        body: encoder.encode(outbound.body),
        ...(traceparent === undefined ? {} : { headers: { traceparent } }),
      }),
    ).pipe(Effect.tap(() => Metrics.increment(Metrics.published, service, { type: typeLabelOf(outbound) })))

  /** Publishes what was decided; everything in it is repeatable. */
  const publish = (consumer: string, delivery: Delivery, decision: Decision, attempts: number, firstAt: number) =>
    Effect.flatMap(
      decision.outbound.length === 0
        ? Effect.void
        : Effect.forEach(decision.outbound, publishMessage, { discard: true }),
      (): Effect.Effect<Disposition> =>
        decision.deadLetter === undefined
          ? acknowledged
          : DeadLetterRecord.disposition(service, consumer, delivery, {
              ...decision.deadLetter,
              path: "",
              attempts,
              firstAt,
            }),
    )

  const broadcast = <T extends EventType>(cause: CausingEvent, type: T, payload: PayloadOf<T>): Effect.Effect<void> =>
    Effect.gen(function* () {
      // Every live event is a new one: its id follows from nothing that could repeat.
      const discriminator = crypto.randomUUID()
      const outbound = yield* toOutboundMessage(service, cause, { _tag: "Event", type, payload, discriminator })
      yield* bus.broadcast(ephemeral(type), encoder.encode(outbound.body))
    }).pipe(
      // Live events are worth nothing later: a bus that is away just now must not fail the job.
      Effect.catch((error) => Effect.logDebug("a live event was not sent", { type, error: error.message })),
    )

  const toDecision = (
    cause: CausingEvent,
    outcomes: ReadonlyArray<ResultMessage>,
    deadLetter: Decision["deadLetter"],
  ) =>
    outcomes.length === 0 && deadLetter === undefined
      ? Effect.succeed(emptyDecision)
      : buildDecision(cause, outcomes, deadLetter)

  const buildDecision = Effect.fnUntraced(function* (
    cause: CausingEvent,
    outcomes: ReadonlyArray<ResultMessage>,
    deadLetter: Decision["deadLetter"],
  ) {
    const origin = { ...cause, traceparent: yield* TraceContext.currentTraceparent }
    const outbound = yield* Effect.forEach(outcomes, (outcome) => toOutboundMessage(service, origin, outcome))
    const decision: Decision = { outbound, ...(deadLetter === undefined ? {} : { deadLetter: deadLetter }) }
    return decision
  })

  /** A result before the end of its job. `hold` fails with `Conflict` where the claim is not ours any more. */
  const publishEarly = Effect.fnUntraced(function* (
    cause: CausingEvent,
    renewLease: Effect.Effect<void, Conflict | StateError>,
    outcome: ResultMessage,
  ) {
    yield* Effect.catchTag(renewLease, "Conflict", ({ key }) =>
      Effect.fail(
        new TransientError({
          dependency: service,
          code: "lease_lost",
          message: `${key} has another owner`,
          countsAsAttempt: false,
        }),
      ),
    )
    yield* publishMessage(
      yield* toOutboundMessage(service, { ...cause, traceparent: yield* TraceContext.currentTraceparent }, outcome),
    )
  })

  return { broadcast, toDecision, publish, publishEarly }
}

const encoder = new TextEncoder()
const acknowledged: Effect.Effect<Disposition> = Effect.succeed({ _tag: "Ack" })
/** The publisher of one service. */
export type ResultPublisher = ReturnType<typeof make>

const emptyDecision: Decision = { outbound: [] }

const typeLabelOf = ({ address }: OutboundMessage): string =>
  address.channel === "event" ? address.type : `work.${address.kind}`
