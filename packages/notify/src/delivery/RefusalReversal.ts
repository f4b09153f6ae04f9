/**
 * Reverses refusals that were blamed on recipients although our setup was at fault. Many equal refusals in a row pause
 * the provider. Refusals that counted before the pause are undone here: the address is no longer suppressed, the backend
 * is asked to keep the token, and the delivery is sent again once the provider works.
 */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { memberPlaceOf } from "@armoricore/domain/AudienceChunk"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { TransientError } from "@armoricore/domain/Errors"
import { type NotificationState, Target } from "@armoricore/domain/NotificationState"
import type { StateError } from "@armoricore/state/KeyValue"
import type { HandlerError } from "@armoricore/worker/Handler"
import { enqueue, type ResultMessage, type WorkEnvelope } from "@armoricore/worker/ResultMessage"
import { Clock, Duration, Effect, Option, Schedule, Schema } from "effect"
import * as Metrics from "../NotifyMetrics.ts"
import type { Message } from "../provider/Provider.ts"
import { CircuitOptions } from "../provider/ProviderCircuit.ts"
import { ProviderCircuits } from "../provider/ProviderCircuits.ts"
import * as InvalidTokens from "../request/InvalidTokens.ts"
import { Notifications } from "../request/Notifications.ts"
import { hashOf } from "../request/Target.ts"
import { Suppressions } from "../unsubscribe/Suppressions.ts"
import * as WorkKinds from "../WorkKinds.ts"
import * as DeliveryRecord from "./DeliveryRecord.ts"
import * as PlannedDelivery from "./PlannedDelivery.ts"

export const ReversalRequest = Schema.Struct({
  notification_id: Schema.String,
  delivery_id: Schema.String,
  /** Distinguishes runs of refusals; stored in the delivery, so that a repeated request changes nothing. */
  run: Schema.String,
  /** Of a member of an audience, whose notification may have no document. */
  target: Schema.optionalKey(Target),
})
type ReversalRequest = typeof ReversalRequest.Type

/** `adoptRefused` gives the notification of a member of an audience a document. */
export const make = Effect.fnUntraced(function* (adoptRefused: AdoptRefused) {
  const bus = yield* EventBus
  const circuits = yield* ProviderCircuits
  const notifications = yield* Notifications
  const suppressions = yield* Suppressions
  const records = yield* DeliveryRecord.make
  const { misconfigurationDelay } = yield* CircuitOptions

  /** From here on the request is durable. */
  const publish = Effect.fnUntraced(function* ({ deliveryId, notificationId, requestId, target }: Message) {
    const found = Option.getOrUndefined(yield* notifications.get(notificationId))
    const isMember = found === undefined && memberPlaceOf(notificationId) !== undefined
    if (found === undefined && !isMember) return
    const run = crypto.randomUUID()
    const body: WorkEnvelope = {
      cause_id: found?.source_event_id ?? notificationId,
      ...(requestId === undefined ? {} : { request_id: requestId }),
      payload: {
        notification_id: notificationId,
        delivery_id: deliveryId,
        run,
        ...(isMember ? { target } : {}),
      } satisfies ReversalRequest,
    }
    yield* bus.publish({
      address: work("notify", WorkKinds.reversal),
      id: deriveId("refusal-reversal", deliveryId, run),
      body: new TextEncoder().encode(JSON.stringify(body)),
    })
  })

  const handle = Effect.fnUntraced(function* ({
    delivery_id,
    notification_id,
    run,
    target,
  }: ReversalRequest): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
    const stored = Option.getOrUndefined(yield* notifications.get(notification_id))
    const notification =
      stored === undefined && target !== undefined
        ? yield* adoptRefused({ notification_id, delivery_id, target })
        : stored
    if (notification === "open") return yield* notRecordedYet
    const index = notification?.deliveries.findIndex((one) => one.delivery_id === delivery_id) ?? -1
    const delivery = notification === undefined ? undefined : PlannedDelivery.of(notification, index)
    if (delivery === undefined) return []
    const { planned } = delivery
    const current = yield* records.get(delivery_id)
    const status = current?.value.status ?? planned.summary?.status
    const isReopened = current?.value.reopened_by === run
    if (!isReopened) {
      // The worker that counted the refusal has not recorded it yet.
      if (status === undefined || status === "requested" || status === "sending") return yield* notRecordedYet
      if (status !== "failed") return []
      const now = yield* Clock.currentTimeMillis
      yield* records
        .write(PlannedDelivery.identifiersOf(delivery), current, {
          status: "requested",
          reopened_by: run,
          not_before: now + Duration.toMillis(misconfigurationDelay),
        })
        .pipe(Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.writeConflict(key))))
      yield* Metrics.increment(Metrics.refusalsReversed, { channel: delivery.channel })
    }
    if (delivery.channel === "email") {
      const reason = yield* suppressions.reasonFor(planned.target)
      if (reason === "bounced") yield* suppressions.remove(hashOf(planned.target))
    }
    const isPushToken = delivery.channel !== "email" && planned.target_invalid === true
    return [
      ...(isPushToken ? [InvalidTokens.restoredEventOf(delivery.notification, planned, run)] : []),
      enqueue(WorkKinds.deliveries(delivery.channel), `${delivery_id}.${run}`, { notification_id, index }),
    ]
  })

  /** Publishes a request for each refusal that a circuit reverses, until it is interrupted. */
  const run = Effect.flatMap(circuits.reversed, (message) =>
    publish(message).pipe(
      Effect.retry({ schedule: Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 8 })) }),
      Effect.catch((error) =>
        Effect.logError(`ALARM: the refusal of ${message.deliveryId} could not be reversed: ${error.message}`),
      ),
    ),
  ).pipe(Effect.forever)

  return { handle, run }
})

type AdoptRefused = (refused: {
  readonly notification_id: string
  readonly delivery_id: string
  readonly target: Target
}) => Effect.Effect<NotificationState | "open" | undefined, StateError>

const notRecordedYet = Effect.fail(
  new TransientError({
    dependency: "notify",
    code: "not_recorded",
    message: "the refusal is not recorded yet",
    countsAsAttempt: false,
    retryAfterMillis: 1_000,
  }),
)
