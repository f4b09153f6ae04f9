/**
 * Validates the events that no worker of this installation handles. An event of an unknown type, from a forged source or
 * with an invalid payload becomes a dead letter of the service `guard`. Handled types are left to their own workers,
 * because each invalid event would give two dead letters otherwise.
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
          // A replay must reach consumers that are added later.
          shared: true,
        })
  })

/** A valid event on the subject of another type would reach no consumer of its own type. */
const requireMatchingSubject = (eventType: string, subjectType: string) =>
  eventType === subjectType
    ? Effect.void
    : Effect.fail(
        new InvalidEvent({
          reason: "invalid",
          path: "event_type",
          message: `an event of type ${eventType} arrived on the subject of ${subjectType}`,
        }),
      )

/** Runs until the scope closes. */
export const run = Effect.fn("UnhandledEventValidator.run")(function* (handledTypes: ReadonlySet<EventType>) {
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
