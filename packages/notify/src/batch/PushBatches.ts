/**
 * The first attempts of a push to many targets, as one work message. The message, the lease, the record that the calls
 * began, and the update of the notification are shared by up to a hundred targets.
 *
 *     write the batch record → call the provider for each target and record the results → update the notification
 *
 * - After its first failure a target is independent. A target that may be retried gets its own work message, and its
 *   later results do not affect the others.
 * - A worker dies during the batch: targets with a recorded result are not sent to again. The outcome of the others is
 *   unknown, so each is sent again with its own ids, and the device shows it once. E-mails have no such protection
 *   against duplicates and are never sent in batches.
 * - Two workers hold one batch (a lease expired while its owner was paused): the second sends again to targets without
 *   a recorded result, with the same ids. The ledger lets only one of them publish the results.
 *
 * A single push is a batch whose record is the notification itself: `sendLone` creates the notification with the mark
 * that the call began, and its result is the next write of the notification.
 */
import type { ConfigurationError, Conflict } from "@armoricore/domain/Errors"
import type { NotificationChannel, NotificationState, PushBatchState } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import { pushBatchStates } from "@armoricore/state/NotificationStates"
import type { HandlerError } from "@armoricore/worker/Handler"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import { retryPolicyOf } from "@armoricore/worker/RetryPolicy"
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Option, Schedule, Schema } from "effect"
import * as DeliveryAttempts from "../delivery/DeliveryAttempts.ts"
import { DeliveryPolicy } from "../delivery/DeliveryPolicy.ts"
import * as DeliveryRecord from "../delivery/DeliveryRecord.ts"
import * as PlannedDelivery from "../delivery/PlannedDelivery.ts"
import { Notifications } from "../request/Notifications.ts"
import { UnreadBadge } from "../request/UnreadBadge.ts"
import * as Metrics from "../NotifyMetrics.ts"
import type { CallError, ProviderCircuit } from "../provider/ProviderCircuit.ts"
import { ProviderCircuits } from "../provider/ProviderCircuits.ts"
import * as CallbackSemaphore from "./CallbackSemaphore.ts"
import * as CallOutcome from "./CallOutcome.ts"
import { Suppressions } from "../unsubscribe/Suppressions.ts"
import * as DeliveryResults from "../delivery/DeliveryResults.ts"
import * as PushBatch from "./PushBatch.ts"
import * as WorkKinds from "../WorkKinds.ts"

/** The body of a batch's work message: targets of one channel of one notification. */
export const BatchRequest = Schema.Struct({ notification_id: Schema.String, indexes: Schema.Array(Schema.Int) })
export type BatchRequest = typeof BatchRequest.Type

/** The maximum number of targets in one batch. Its results must fit into one state document. */
export const maxBatchSize = 100

interface CompletedCall {
  readonly delivery: PlannedDelivery.PlannedDelivery
  readonly exit: CallOutcome.CallExit
}

type ItemOutcomes = PushBatchState["outcomes"]
type ItemOutcome = ItemOutcomes[number]

export class PushBatches extends Context.Service<
  PushBatches,
  {
    readonly send: (request: BatchRequest) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>
    /**
     * Stores the new notification of a single push, and sends it. Undefined: nothing was stored and nothing was sent,
     * because the notification exists, or the provider cannot be called at once.
     */
    readonly sendLone: (
      delivery: PlannedDelivery.PlannedDelivery,
    ) => Effect.Effect<ReadonlyArray<ResultMessage> | undefined, HandlerError>
    /** The end of the first call of a single push: stores its result, and returns the messages to publish. */
    readonly endLone: (
      delivery: PlannedDelivery.PlannedDelivery,
      circuit: ProviderCircuit,
      exit: CompletedCall["exit"],
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>
    /** The work message of a single delivery whose notification was stored before. */
    readonly resumeLone: (
      delivery: PlannedDelivery.PlannedDelivery,
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>
  }
>()("@armoricore/notify/PushBatches") {
  static readonly layer = Layer.effect(
    PushBatches,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const notifications = yield* Notifications
  const circuits = yield* ProviderCircuits
  const suppressions = yield* Suppressions
  const badges = yield* UnreadBadge
  const { callTimeout, concurrency, maxProviderWait } = yield* DeliveryPolicy
  const leaseMillis = Duration.toMillis(callTimeout) + DeliveryAttempts.leaseMarginMillis
  const retry = yield* retryPolicyOf("notify")
  const batches = yield* Collection.make(pushBatchStates)
  const records = yield* DeliveryRecord.make
  const semaphores = new Map<NotificationChannel, CallbackSemaphore.CallbackSemaphore>()

  const semaphoreOf = (channel: NotificationChannel): CallbackSemaphore.CallbackSemaphore => {
    const known = semaphores.get(channel)
    if (known !== undefined) return known
    const fresh = CallbackSemaphore.make(concurrency)
    semaphores.set(channel, fresh)
    return fresh
  }

  /** Turns the result of a call into the outcome of its target. */
  const classify = (
    { exit, delivery: { channel, index } }: CompletedCall,
    provider: string,
  ): Effect.Effect<ItemOutcome> =>
    Effect.map(CallOutcome.of({ channel, exit, provider }, retry), (outcome) => ({ index, ...outcome }))

  /** Calls the provider for each item. Every result is written before any is published. */
  const sendItems = Effect.fnUntraced(function* (
    { id, ...batch }: { readonly id: string; readonly revision: number; readonly outcomes: ItemOutcomes },
    circuit: ProviderCircuit,
    channel: NotificationChannel,
    items: ReadonlyArray<PushBatch.BatchItem>,
  ) {
    const outcomes = [...batch.outcomes]
    let { revision } = batch
    yield* PushBatch.send(circuit, semaphoreOf(channel), items, (ended) =>
      Effect.gen(function* () {
        for (const one of ended) outcomes.push(yield* classify(one, circuit.provider.name))
        revision = yield* write(id, outcomes, revision)
      }),
    )
    return outcomes
  })

  const write = (
    id: string,
    outcomes: ItemOutcomes,
    revision: number,
  ): Effect.Effect<number, Conflict | HandlerError> => persist(batches.update(id, { batch_id: id, outcomes }, revision))

  /** The work message for a target that may be retried, and the earliest time of its next attempt. */
  const enqueueDelivery = Effect.fnUntraced(function* (
    delivery: PlannedDelivery.PlannedDelivery,
    { not_before, counts_as_attempt }: Partial<ItemOutcome> = {},
  ) {
    if (not_before !== undefined) {
      // A conflict means that the state exists already: the batch is repeated, or a report with a higher status came
      // first.
      const write = records.write(PlannedDelivery.identifiersOf(delivery), undefined, {
        status: "requested",
        not_before,
        attempt: counts_as_attempt === true ? 1 : 0,
      })
      yield* Effect.catchTag(write, "Conflict", () => Effect.void)
    }
    return WorkKinds.delivery(delivery, counts_as_attempt === true ? 1 : 0)
  })

  const recordOutcomes = Effect.fnUntraced(function* (
    notification: NotificationState,
    deliveries: ReadonlyArray<PlannedDelivery.PlannedDelivery>,
    outcomes: ItemOutcomes,
    into: Notifications["Service"] = notifications,
  ) {
    const outcomeOf = new Map(outcomes.map((outcome) => [outcome.index, outcome]))
    const results: Array<DeliveryResults.DeliveryResult> = []
    const messages: Array<ResultMessage> = []
    for (const delivery of deliveries) {
      const final = outcomeOf.get(delivery.index)
      if (final === undefined) {
        yield* Metrics.increment(Metrics.unknownOutcomes, { channel: delivery.channel })
        yield* Metrics.increment(Metrics.resends, { channel: delivery.channel })
      }
      if (final === undefined || final.status === "requested") messages.push(yield* enqueueDelivery(delivery, final))
      else results.push({ delivery, final })
    }
    const events = yield* DeliveryResults.record(into, notification.notification_id, results)
    return [...events, ...messages]
  })

  /** Outcomes of targets that need no call of the provider. */
  const unsent = (
    deliveries: ReadonlyArray<PlannedDelivery.PlannedDelivery>,
    status: ItemOutcome["status"],
    reason: string,
  ): ItemOutcomes => deliveries.map(({ index }) => ({ index, status, provider: "none", reason }))

  /** The result of a call is stored, even if that needs several tries. */
  const persisted: Notifications["Service"] = {
    ...notifications,
    applyUpdates: (id, updates) => persist(notifications.applyUpdates(id, updates)),
  }

  /** An interrupted call ends its lease, so that the next worker continues at once. */
  const releaseLone = ({ index, notification, planned }: PlannedDelivery.PlannedDelivery, circuit: ProviderCircuit) =>
    Effect.catch(
      notifications.releaseCall(
        notification.notification_id,
        index,
        circuit.provider.wasAbortedBeforeSend?.(planned.delivery_id) !== true,
      ),
      (error) => Effect.logDebug(`The lease of a push was not released: ${error.message}`),
    )

  const endLone: PushBatches["Service"]["endLone"] = (delivery, circuit, exit) =>
    Effect.flatMap(classify({ delivery, exit }, circuit.provider.name), (outcome) =>
      recordOutcomes(delivery.notification, [delivery], [outcome], persisted),
    )

  const sendLone = Effect.fnUntraced(function* (
    delivery: PlannedDelivery.PlannedDelivery,
  ): Effect.fn.Return<ReadonlyArray<ResultMessage> | undefined, HandlerError> {
    const { channel, index, notification, planned } = delivery
    const [circuit, ...others] = circuits.forChannel(channel)
    if (circuit === undefined || others.length > 0) return undefined
    const now = yield* Clock.currentTimeMillis
    if (PlannedDelivery.isExpired(notification, now)) return undefined
    const suppressed = yield* suppressions.reasonFor(planned.target, notification.content.category)
    if (suppressed !== undefined) return undefined
    const provider = circuit.provider.name
    let hasBegun = false
    const begin = Effect.flatMap(Clock.currentTimeMillis, (at) =>
      Effect.map(notifications.createCalling(notification, index, { provider, lease_until: at + leaseMillis }), () => {
        hasBegun = true
      }),
    )
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Effect.exit(restore(circuit.attempt(PlannedDelivery.messageOf(delivery), begin))),
        (exit): Effect.Effect<ReadonlyArray<ResultMessage> | undefined, HandlerError> => {
          if (!hasBegun) return Exit.isSuccess(exit) ? notSent : notBegun(exit.cause)
          if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
            return Effect.andThen(releaseLone(delivery, circuit), Effect.interrupt)
          return endLone(delivery, circuit, exit)
        },
      ),
    )
  })

  const resumeLone = Effect.fnUntraced(function* (
    delivery: PlannedDelivery.PlannedDelivery,
  ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
    const { channel, planned } = delivery
    const record = planned.first_call === undefined ? undefined : yield* records.get(planned.delivery_id)
    if (planned.first_call !== undefined && record === undefined) {
      const wait = planned.first_call.lease_until - (yield* Clock.currentTimeMillis)
      if (wait > 0) return yield* DeliveryAttempts.snooze("being_sent", "another worker may be sending this now", wait)
      yield* Metrics.increment(Metrics.unknownOutcomes, { channel })
      yield* Metrics.increment(Metrics.resends, { channel })
    }
    return [WorkKinds.delivery(delivery)]
  })

  return PushBatches.of({
    sendLone,
    endLone,
    resumeLone,
    send: Effect.fnUntraced(function* ({ indexes, notification_id }) {
      const found = yield* notifications.get(notification_id)
      if (Option.isNone(found)) {
        yield* Effect.logWarning(`Dropped a push batch of ${notification_id}: the notification no longer exists`)
        return []
      }
      const notification = yield* badges.resolve(found.value)
      const deliveries = indexes.flatMap((index) => {
        const delivery = PlannedDelivery.of(notification, index)
        return delivery === undefined || PlannedDelivery.isCancelled(delivery) ? [] : delivery
      })
      const [first] = deliveries
      if (first === undefined) return []
      const { channel } = first
      const id = `${notification_id}.batch.${first.index}`
      // An earlier worker began this batch. Its recorded outcomes apply; the other outcomes are unknown.
      const existing = yield* batches.get(id)
      if (Option.isSome(existing)) return yield* recordOutcomes(notification, deliveries, existing.value.value.outcomes)
      const now = yield* Clock.currentTimeMillis
      if (PlannedDelivery.isExpired(notification, now)) {
        return yield* recordOutcomes(notification, deliveries, unsent(deliveries, "expired", "expired"))
      }
      const [circuit, ...others] = circuits.forChannel(channel)
      if (circuit === undefined)
        return yield* recordOutcomes(notification, deliveries, unsent(deliveries, "failed", "no_provider"))
      // With several providers, each delivery finds its own fallback.
      if (others.length > 0) return deliveries.map((delivery) => WorkKinds.delivery(delivery))
      const unavailability = circuit.unavailability(now)
      if (unavailability !== undefined) {
        // After the maximum wait, each delivery counts its own attempts.
        if (now > notification.requested_at + Duration.toMillis(maxProviderWait))
          return deliveries.map((delivery) => WorkKinds.delivery(delivery))
        return yield* DeliveryAttempts.snooze(
          unavailability.reason,
          `${circuit.provider.name} is not available now`,
          unavailability.waitMillis,
        )
      }
      const suppressed: Array<ItemOutcome> = []
      const items: Array<PushBatch.BatchItem> = []
      for (const delivery of deliveries) {
        const reason = yield* suppressions.reasonFor(delivery.planned.target, notification.content.category)
        if (reason === undefined) items.push({ delivery, message: PlannedDelivery.messageOf(delivery) })
        else suppressed.push({ index: delivery.index, status: "suppressed", provider: "none", reason })
      }
      const outcomes = yield* batches.create(id, { batch_id: id, outcomes: suppressed }).pipe(
        Effect.flatMap((revision) => sendItems({ id, revision, outcomes: suppressed }, circuit, channel, items)),
        Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.writeConflict(key))),
      )
      return yield* recordOutcomes(notification, deliveries, outcomes)
    }),
  })
})

/** Retries, because the calls whose results are written cannot be undone. */
const persist = <A, E extends { readonly _tag: string }>(write: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  // Hot path: nearly every first write succeeds, so only a failed one builds a schedule.
  Effect.catch(write, (error) =>
    isTransient(error) ? Effect.retry(write, { while: isTransient, schedule: persistSchedule }) : Effect.fail(error),
  )

const isTransient = (error: { readonly _tag: string }): boolean => error._tag === "TransientError"
const persistSchedule = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 5 }))

const notSent = Effect.succeed(undefined)

/** The notification was not stored: it exists, or the state is unavailable. */
const notBegun = (cause: Cause.Cause<CallError | ConfigurationError | Conflict>) => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  switch (error?._tag) {
    case "Conflict":
      return notSent
    case "TransientError":
    case "ConfigurationError":
      return Effect.fail(error)
    default:
      // Only the call has other errors, and it did not begin.
      return Effect.die(Cause.squash(cause))
  }
}
