/**
 * Looks at every event, so that nothing on the bus goes unjudged: a type nobody knows, and a type no worker reads
 * (`media.ready`, `chat.message`, …) under a forged source or with a broken payload, become dead letters of `guard`.
 * Types that a worker reads are that worker's to judge, or each fault would be two letters.
 */
import { prefixes } from "@armoricore/bus/Address"
import { type Delivery, type Disposition, EventBus } from "@armoricore/bus/EventBus"
import { Rejected } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { EventType } from "@armoricore/domain/Events"
import { Effect, Result } from "effect"
import { authorize } from "./Authorization.ts"
import * as Letter from "./Letter.ts"

export const consumerName = "guard"

const judge = (read: ReadonlySet<string>) => (delivery: Delivery) =>
  Effect.gen(function* (): Effect.fn.Return<Disposition> {
    const type = delivery.subject.slice(prefixes.event.length)
    if (read.has(type)) return { _tag: "Ack" }
    const verdict = yield* EventCodec.decode(delivery.body).pipe(
      Effect.flatMap(({ event }) => Effect.andThen(authorize(event, delivery), held(event.event_type, type))),
      Effect.result,
    )
    return Result.isSuccess(verdict)
      ? { _tag: "Ack" }
      : yield* Letter.disposition("guard", consumerName, delivery, {
          ...verdict.failure,
          message: verdict.failure.message,
          attempts: 1,
          firstAt: delivery.arrivedAt,
          // Whoever comes to read the type gets a replay too.
          shared: true,
        })
  })

/** A sound event on a subject that nobody reads would be heard by nobody. */
const held = (given: string, type: string) =>
  given === type
    ? Effect.void
    : Effect.fail(
        new Rejected({
          reason: "invalid",
          path: "event_type",
          message: `an event of type ${given} came on the subject of ${type}`,
        }),
      )

/** Runs until the scope closes. `read`: the types that workers of this installation have consumers for. */
export const run = Effect.fn("Guard.run")(function* (read: ReadonlySet<EventType>) {
  const bus = yield* EventBus
  yield* bus.consume(
    { name: consumerName, from: "all-events", concurrency: 8, exhausted: Letter.exhausted("guard", consumerName) },
    judge(read),
  )
})
