/** How a service tells what its handlers made: what is decided, what is told early, and what is heard only now. */
import { live } from "@armoricore/bus/Address"
import type { Delivery, Disposition, EventBus } from "@armoricore/bus/EventBus"
import { type Conflict, TransientError } from "@armoricore/domain/Errors"
import type { EventType, PayloadOf } from "@armoricore/domain/Events"
import type { StateError } from "@armoricore/state/KeyValue"
import { Effect } from "effect"
import type { Decision, Outbound } from "./Ledger.ts"
import * as Letter from "./Letter.ts"
import { type Cause, type Outcome, toOutbound } from "./Outcome.ts"
import * as Trace from "./Trace.ts"
import * as Metrics from "./WorkerMetrics.ts"

/** `service`: whose events they are. */
export const make = (service: string, bus: EventBus["Service"]) => {
  const publish = (outbound: Outbound) =>
    Effect.flatMap(Trace.current, (traceparent) =>
      bus.publish({
        address: outbound.address,
        id: outbound.id,
        body: encoder.encode(outbound.body),
        ...(traceparent === undefined ? {} : { headers: { traceparent } }),
      }),
    ).pipe(Effect.tap(() => Metrics.count(Metrics.published, service, { type: typeOf(outbound) })))

  /** Publishes what was decided; everything in it is repeatable. */
  const tell = (consumer: string, delivery: Delivery, decision: Decision, attempts: number, firstAt: number) =>
    Effect.flatMap(
      decision.outbound.length === 0 ? Effect.void : Effect.forEach(decision.outbound, publish, { discard: true }),
      (): Effect.Effect<Disposition> =>
        decision.deadLetter === undefined
          ? nothingMore
          : Letter.disposition(service, consumer, delivery, { ...decision.deadLetter, path: "", attempts, firstAt }),
    )

  const broadcast = <T extends EventType>(cause: Cause, type: T, payload: PayloadOf<T>): Effect.Effect<void> =>
    Effect.gen(function* () {
      // Every live event is a new one: its id follows from nothing that could repeat.
      const which = crypto.randomUUID()
      const outbound = yield* toOutbound(service, cause, { _tag: "Event", type, payload, which })
      yield* bus.broadcast(live(type), encoder.encode(outbound.body))
    }).pipe(
      // Live events are worth nothing later: a bus that is away just now must not fail the job.
      Effect.catch((error) => Effect.logDebug("a live event was not sent", { type, error: error.message })),
    )

  const decisionOf = (cause: Cause, outcomes: ReadonlyArray<Outcome>, letter: Decision["deadLetter"]) =>
    outcomes.length === 0 && letter === undefined
      ? Effect.succeed(nothingToTell)
      : decisionWith(cause, outcomes, letter)

  const decisionWith = Effect.fnUntraced(function* (
    cause: Cause,
    outcomes: ReadonlyArray<Outcome>,
    letter: Decision["deadLetter"],
  ) {
    const origin = { ...cause, traceparent: yield* Trace.current }
    const outbound = yield* Effect.forEach(outcomes, (outcome) => toOutbound(service, origin, outcome))
    const decision: Decision = { outbound, ...(letter === undefined ? {} : { deadLetter: letter }) }
    return decision
  })

  /** A result before the end of its job. `hold` fails with `Conflict` where the claim is not ours any more. */
  const tellEarly = Effect.fnUntraced(function* (
    cause: Cause,
    hold: Effect.Effect<void, Conflict | StateError>,
    outcome: Outcome,
  ) {
    yield* Effect.catchTag(hold, "Conflict", ({ key }) =>
      Effect.fail(
        new TransientError({
          dependency: service,
          code: "claim_lost",
          message: `${key} has another owner`,
          waiting: true,
        }),
      ),
    )
    yield* publish(yield* toOutbound(service, { ...cause, traceparent: yield* Trace.current }, outcome))
  })

  return { broadcast, decisionOf, tell, tellEarly }
}

const encoder = new TextEncoder()
const nothingMore: Effect.Effect<Disposition> = Effect.succeed({ _tag: "Ack" })
const nothingToTell: Decision = { outbound: [] }

const typeOf = ({ address }: Outbound): string => (address.channel === "event" ? address.type : `work.${address.kind}`)
