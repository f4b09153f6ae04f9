/**
 * One delivery from its work message, or in place of one, to a final state. Where a worker may stop, and what the next
 * one does:
 * - before `sending`: as if nothing had been;
 * - `sending` and its lease lives: somebody may be calling just now, so it waits;
 * - `sending` and the lease is over: a call may have been made and its end is not known. A push is sent again under the
 *   same ids, so that the device shows one; an e-mail follows `DeliveryPolicy.strictMail`;
 * - after `sent`, or any other final state: the notification is told again and the same event comes of it.
 *
 * Failures of one target never touch another: each has its own state and tries.
 */
import type { Conflict } from "@armoricore/domain/Errors"
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
  | { readonly _tag: "ExitCode"; readonly outcomes: ReadonlyArray<ResultMessage> }
  /** `tried`: failed tries, 0 where it only has to wait. */
  | { readonly _tag: "Open"; readonly failedAttempts: number }

type Document = DeliveryRecord.Document

export class Deliveries extends Context.Service<
  Deliveries,
  {
    readonly deliver: (request: DeliveryRequest) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>
    /**
     * A first try in place of a work message, for a delivery that was planned just now. Where it did not end it wants
     * the message after all.
     */
    readonly deliverInline: (delivery: PlannedDelivery.PlannedDelivery) => Effect.Effect<FirstAttempt>
    /** The worker loop gave it up: notes the failure and tells the notification. */
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
  const { attempt, finish, recordResult, recordUnknownOutcome } = yield* DeliveryAttempts.make(records)

  const findDelivery = ({ index, notification_id }: DeliveryRequest) =>
    Effect.flatMap(notifications.get(notification_id), (found) => {
      const delivery = Option.isNone(found) ? undefined : PlannedDelivery.of(found.value, index)
      return delivery !== undefined
        ? Effect.succeed(delivery)
        : Effect.as(
            Effect.logWarning(`a delivery of ${notification_id} is dropped: the notification is not known any more`),
            undefined,
          )
    })

  const reportsDelivery = (delivery: PlannedDelivery.PlannedDelivery, providerName: string | undefined) =>
    circuits.forChannel(delivery.channel).some(({ provider }) => provider.name === providerName && provider.reports)

  /** What is stored decides whether to go on. */
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
      return yield* next > now ? snoozeUntil(next, "postponed", "its next try is later") : attempt(delivery, current)
    }
    if (status === "sending") {
      if (lease_until > now)
        return yield* snoozeUntil(lease_until, "being_sent", "somebody may be sending this just now")
      return yield* recordUnknownOutcome(
        delivery,
        current,
        "the sender stopped before the provider's answer",
        reportsDelivery(delivery, provider),
      )
    }
    if (status !== "unknown" || resend_at === undefined) return yield* recordResult(delivery, current.value)
    if (resend_at > now) return yield* snoozeUntil(resend_at, "awaiting_report", "the provider may still report it")
    yield* Metrics.increment(Metrics.resends, { channel: delivery.channel })
    return yield* attempt(delivery, current)
  })

  /** The work message comes at once: what the failed try asks for is kept with the state. */
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
        if (delivery === undefined) return Effect.succeed([])
        // Nearly every delivery is new: its first write finds out, which saves a read.
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
        onSuccess: (outcomes): Effect.Effect<FirstAttempt> => Effect.succeed({ _tag: "ExitCode", outcomes }),
        onFailure: (error) =>
          (error._tag === "Conflict" ? Effect.void : postpone(delivery, error)).pipe(
            // Then it is tried again sooner; a state that is away is met there again.
            Effect.catch((fault) => Effect.logDebug(`a try was not postponed: ${fault.message}`)),
            Effect.as({ _tag: "Open", failedAttempts: isCounted(error) ? 1 : 0 }),
          ),
      }),
    recordFailure: Effect.fnUntraced(function* (request, failure) {
      const delivery = yield* findDelivery(request)
      if (delivery === undefined) return []
      const current = yield* records.get(delivery.planned.delivery_id)
      const status = current?.value.status
      if (status !== undefined && status !== "requested" && status !== "sending") {
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
