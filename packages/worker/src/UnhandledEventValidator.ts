/**
 * Looks at every event, so that nothing on the bus goes unjudged: a type nobody knows, and a type no worker reads
 * (`media.ready`, `chat.message`, …) under a forged source or with a broken payload, become dead letters of `guard`.
 * Types that a worker reads are that worker's to judge, or each fault would be two letters.
 */
import { prefixes } from "@armoricore/bus/Address"
import { type Delivery, type Disposition, EventBus } from "@armoricore/bus/EventBus"
import { InvalidEvent } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { EventType } from "@armoricore/domain/EventRegistry"
import { Effect, Result } from "effect"
import { authorize } from "./PublishPolicy.ts"
import * as DeadLetterRecord from "./dead-letters/DeadLetterRecord.ts"

export const consumerName = "guard"

const validate = (handledTypes: ReadonlySet<string>) => (delivery: Delivery) =>
  Effect.gen(function* (): Effect.fn.Return<Disposition> {
    const type = delivery.subject.slice(prefixes.event.length)
    if (handledTypes.has(type)) return { _tag: "Ack" }
    const validated = yield* EventCodec.decode(delivery.body).pipe(
      Effect.flatMap(({ event }) =>
        Effect.andThen(authorize(event, delivery), requireMatchingSubject(event.event_type, type)),
      ),
      Effect.result,
    )
    return Result.isSuccess(validated)
      ? { _tag: "Ack" }
      : yield* DeadLetterRecord.disposition("guard", consumerName, delivery, {
          ...validated.failure,
          message: validated.failure.message,
          attempts: 1,
          firstAt: delivery.arrivedAt,
          // Whoever comes to read the type gets a replay too.
          shared: true,
        })
  })

/** A sound event on a subject that nobody reads would be heard by nobody. */
const requireMatchingSubject = (given: string, type: string) =>
  given === type
    ? Effect.void
    : Effect.fail(
        new InvalidEvent({
          reason: "invalid",
          path: "event_type",
          message: `an event of type ${given} came on the subject of ${type}`,
        }),
      )

/** Runs until the scope closes. `read`: the types that workers of this installation have consumers for. */
export const run = Effect.fn("Guard.run")(function* (handledTypes: ReadonlySet<EventType>) {
  const bus = yield* EventBus
  yield* bus.consume(
    {
      name: consumerName,
      from: "all-events",
      concurrency: 8,
      onMaxDeliveries: DeadLetterRecord.onMaxDeliveries("guard", consumerName),
    },
    validate(handledTypes),
  )
})
