/**
 * Brings one delivery from its work message, or from a first attempt without one, to a final state. This is where a
 * worker may stop, and how the next worker continues:
 * - before `sending`: it starts from the beginning;
 * - in `sending`, while the lease is valid: another worker may be calling the provider, so it waits;
 * - in `sending`, after the lease expired: the provider may have accepted the message, so the outcome is unknown. A
 *   push is sent again with the same ids, so that the device shows it once; an e-mail follows
 *   `DeliveryPolicy.resendUnknownMail`. The same applies when a provider ends a call with `UnknownOutcome`;
 * - in `deferred`: the next attempt is scheduled (see `MailDeferral`);
 * - after `sent` or another final state: it repeats the update of the notification, which returns the same event.
 *
 * The failure of one target never affects another: each has its own state and attempts.
 */
import type { Conflict } from "@armoricore/domain/Errors"
import { isOpenStatus } from "@armoricore/domain/NotificationState"
import type { HandlerError } from "@armoricore/worker/Handler"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import { retryDelay, retryPolicyOf } from "@armoricore/worker/RetryPolicy"
import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import * as DeliveryAttempts from "./DeliveryAttempts.ts"
import * as DeliveryRecord from "./DeliveryRecord.ts"
import * as PlannedDelivery from "./PlannedDelivery.ts"
import { Notifications } from "../request/Notifications.ts"
import * as Metrics from "../NotifyMetrics.ts"
import { ProviderCircuits } from "../provider/ProviderCircuits.ts"

/** The body of a delivery's work message. */
export interface DeliveryRequest {
  readonly notification_id: string
  readonly index: number
}

export type FirstAttempt =
  | { readonly _tag: "Completed"; readonly outcomes: ReadonlyArray<ResultMessage> }
  /** `failedAttempts` is 0 if the delivery only has to wait. */
  | { readonly _tag: "Incomplete"; readonly failedAttempts: number }

type Document = DeliveryRecord.Document

export class Deliveries extends Context.Service<
  Deliveries,
  {
    readonly deliver: (request: DeliveryRequest) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>
    /**
     * Makes the first attempt without a work message, for a delivery that was just planned. If the result is not final,
     * the caller must publish the work message.
     */
    readonly deliverInline: (delivery: PlannedDelivery.PlannedDelivery) => Effect.Effect<FirstAttempt>
    /** Called when the worker loop gives up: stores the failure and updates the notification. */
    readonly recordFailure: (
      request: DeliveryRequest,
      failure: { readonly code: string; readonly message: string },
    ) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>
  }
>()("@armoricore/notify/Deliveries") {
  static readonly layer = Layer.effect(
    Deliveries,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const notifications = yield* Notifications
  const circuits = yield* ProviderCircuits
  const records = yield* DeliveryRecord.make
  const retry = yield* retryPolicyOf("notify")
  const { attempt, finish, recordResult, recordUnknownOutcome, reschedule } = yield* DeliveryAttempts.make(records)

  const findDelivery = ({ index, notification_id }: DeliveryRequest) =>
    Effect.flatMap(notifications.get(notification_id), (found) => {
      const delivery = Option.isNone(found) ? undefined : PlannedDelivery.of(found.value, index)
      return delivery !== undefined
        ? Effect.succeed(delivery)
        : Effect.as(
            Effect.logWarning(`Dropped a delivery of ${notification_id}: the notification no longer exists`),
            undefined,
          )
    })

  const reportsDelivery = (delivery: PlannedDelivery.PlannedDelivery, providerName: string | undefined) =>
    circuits.forChannel(delivery.channel).some(({ provider }) => provider.name === providerName && provider.reports)

  /** Continues from the stored state. */
  const resume = Effect.fnUntraced(function* (
    delivery: PlannedDelivery.PlannedDelivery,
    current: Document,
  ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError | Conflict> {
    const { lease_until = 0, not_before = 0, provider, resend_at, retryable, status } = current.value
    const now = yield* Clock.currentTimeMillis
    const snoozeUntil = (until: number, code: string, message: string) =>
      DeliveryAttempts.snooze(code, message, until - now)
    if (status === "requested" || (status === "failed" && retryable === true)) {
      const next = Math.min(not_before, PlannedDelivery.expiresAt(delivery.notification))
      return yield* next > now
        ? snoozeUntil(next, "postponed", "its next attempt is scheduled for later")
        : attempt(delivery, current)
    }
    if (status === "deferred") {
      const next = Math.min(not_before, PlannedDelivery.expiresAt(delivery.notification))
      if (next <= now) return yield* attempt(delivery, current)
      // The worker that deferred it may have stopped before it scheduled the next attempt.
      return yield* Effect.as(reschedule(delivery, current.value), [])
    }
    if (status === "sending") {
      if (lease_until > now)
        return yield* snoozeUntil(lease_until, "being_sent", "another worker may be sending this now")
      return yield* recordUnknownOutcome(
        delivery,
        current,
        "the worker stopped before the provider replied",
        reportsDelivery(delivery, provider),
      )
    }
    if (status !== "unknown" || resend_at === undefined) return yield* recordResult(delivery, current.value)
    if (resend_at > now) return yield* snoozeUntil(resend_at, "awaiting_report", "the provider may still report it")
    yield* Metrics.increment(Metrics.resends, { channel: delivery.channel })
    return yield* attempt(delivery, current)
  })

  /** The work message follows at once, so the delivery's state stores the delay before its next attempt. */
  const postpone = Effect.fnUntraced(function* (delivery: PlannedDelivery.PlannedDelivery, error: HandlerError) {
    if (error._tag !== "TransientError") return
    const current = yield* records.get(delivery.planned.delivery_id)
    const now = yield* Clock.currentTimeMillis
    const not_before = now + Duration.toMillis(yield* retryDelay(retry, 1, error.retryAfterMillis))
    const { resend_at = 0, status } = current?.value ?? {}
    if (current !== undefined && status === "requested") {
      yield* records.write(current.value, current, { status, attempt: current.value.attempt, not_before })
    }
    if (current !== undefined && status === "unknown" && resend_at > 0 && resend_at < not_before) {
      const { attempt, message = "", reason = "outcome_unknown" } = current.value
      yield* records.write(current.value, current, { status, attempt, reason, message, resend_at: not_before })
    }
  })

  return Deliveries.of({
    deliver: (request) =>
      Effect.flatMap(findDelivery(request), (delivery) => {
        if (delivery === undefined || PlannedDelivery.isCancelled(delivery)) return Effect.succeed([])
        // Nearly every delivery is new. Its first write detects the exceptions and saves a read.
        return attempt(delivery, undefined).pipe(
          Effect.catchTag("Conflict", () =>
            Effect.flatMap(records.get(delivery.planned.delivery_id), (found) =>
              found === undefined ? attempt(delivery, undefined) : resume(delivery, found),
            ),
          ),
          Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.writeConflict(key))),
        )
      }),
    deliverInline: (delivery) =>
      Effect.matchEffect(attempt(delivery, undefined), {
        onSuccess: (outcomes): Effect.Effect<FirstAttempt> => Effect.succeed({ _tag: "Completed", outcomes }),
        onFailure: (error) =>
          (error._tag === "Conflict" ? Effect.void : postpone(delivery, error)).pipe(
            // Without the stored delay the next attempt comes sooner. If the state store is unavailable, that attempt
            // fails too.
            Effect.catch((fault) =>
              Effect.logDebug(`The delay before the next attempt was not stored: ${fault.message}`),
            ),
            Effect.as({ _tag: "Incomplete", failedAttempts: isCounted(error) ? 1 : 0 }),
          ),
      }),
    recordFailure: Effect.fnUntraced(function* (request, failure) {
      const delivery = yield* findDelivery(request)
      if (delivery === undefined) return []
      const current = yield* records.get(delivery.planned.delivery_id)
      const status = current?.value.status
      if (status !== undefined && !isOpenStatus(status)) {
        return current === undefined ? [] : yield* recordResult(delivery, current.value)
      }
      const change = { reason: failure.code, message: failure.message, retryable: true }
      return yield* finish(delivery, current, { status: "failed", ...change }).pipe(
        Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.writeConflict(key))),
      )
    }),
  })
})

const isCounted = (error: HandlerError | Conflict): boolean =>
  error._tag === "TransientError" && error.countsAsAttempt !== false
