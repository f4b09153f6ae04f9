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
import type { Outcome } from "@armoricore/worker/Outcome"
import { delayAfter, policyOf } from "@armoricore/worker/Retry"
import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import * as Attempts from "./Attempts.ts"
import * as DeliveryRecord from "./DeliveryRecord.ts"
import * as Job from "./Job.ts"
import { Notifications } from "./Notifications.ts"
import * as Metrics from "./NotifyMetrics.ts"
import { RouteGuards } from "./RouteGuards.ts"

/** The body of a delivery's work message. */
export interface Assigned {
  readonly notification_id: string
  readonly index: number
}

export type FirstTry =
  | { readonly _tag: "Ended"; readonly outcomes: ReadonlyArray<Outcome> }
  /** `tried`: failed tries, 0 where it only has to wait. */
  | { readonly _tag: "Open"; readonly tried: number }

type Document = DeliveryRecord.Document

export class Deliveries extends Context.Service<
  Deliveries,
  {
    readonly deliver: (assigned: Assigned) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError>
    /**
     * A first try in place of a work message, for a delivery that was planned just now. Where it did not end it wants
     * the message after all.
     */
    readonly deliverNow: (job: Job.Job) => Effect.Effect<FirstTry>
    /** The worker loop gave it up: notes the failure and tells the notification. */
    readonly giveUp: (
      assigned: Assigned,
      failure: { readonly code: string; readonly message: string },
    ) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError>
  }
>()("@armoricore/notify/Deliveries") {
  static readonly layer = Layer.effect(
    Deliveries,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const notifications = yield* Notifications
  const guards = yield* RouteGuards
  const records = yield* DeliveryRecord.make
  const retry = yield* policyOf("notify")
  const { attempt, finish, tell, unknown } = yield* Attempts.make(records)

  const find = ({ index, notification_id }: Assigned) =>
    Effect.flatMap(notifications.get(notification_id), (found) => {
      const job = Option.isNone(found) ? undefined : Job.of(found.value, index)
      return job !== undefined
        ? Effect.succeed(job)
        : Effect.as(
            Effect.logWarning(`a delivery of ${notification_id} is dropped: the notification is not known any more`),
            undefined,
          )
    })

  const reportsOf = (job: Job.Job, provider: string | undefined) =>
    guards.of(job.channel).some(({ route }) => route.name === provider && route.reports)

  /** What is stored decides whether to go on. */
  const resume = Effect.fnUntraced(function* (
    job: Job.Job,
    current: Document,
  ): Effect.fn.Return<ReadonlyArray<Outcome>, HandlerError | Conflict> {
    const { lease_until = 0, not_before = 0, provider, resend_at, retryable, status } = current.value
    const now = yield* Clock.currentTimeMillis
    const rest = (until: number, code: string, message: string) => Attempts.waiting(code, message, until - now)
    if (status === "requested" || (status === "failed" && retryable === true)) {
      const next = Math.min(not_before, Job.expiresAt(job.notification))
      return yield* next > now ? rest(next, "postponed", "its next try is later") : attempt(job, current)
    }
    if (status === "sending") {
      if (lease_until > now) return yield* rest(lease_until, "being_sent", "somebody may be sending this just now")
      return yield* unknown(job, current, "the sender stopped before the provider's answer", reportsOf(job, provider))
    }
    if (status !== "unknown" || resend_at === undefined) return yield* tell(job, current.value)
    if (resend_at > now) return yield* rest(resend_at, "awaiting_report", "the provider may still report it")
    yield* Metrics.count(Metrics.resent, { channel: job.channel })
    return yield* attempt(job, current)
  })

  /** The work message comes at once: what the failed try asks for is kept with the state. */
  const postpone = Effect.fnUntraced(function* (job: Job.Job, error: HandlerError) {
    if (error._tag !== "TransientError") return
    const current = yield* records.get(job.planned.delivery_id)
    const now = yield* Clock.currentTimeMillis
    const not_before = now + Duration.toMillis(yield* delayAfter(retry, 1, error.retryAfterMillis))
    const { resend_at = 0, status } = current?.value ?? {}
    if (current !== undefined && status === "requested") {
      yield* records.write(current.value, current, { status, attempt: current.value.attempt, not_before })
    }
    if (current !== undefined && status === "unknown" && resend_at > 0 && resend_at < not_before) {
      const { attempt, message = "", reason = "no_answer" } = current.value
      yield* records.write(current.value, current, { status, attempt, reason, message, resend_at: not_before })
    }
  })

  return Deliveries.of({
    deliver: (assigned) =>
      Effect.flatMap(find(assigned), (job) => {
        if (job === undefined) return Effect.succeed([])
        // Nearly every delivery is new: its first write finds out, which saves a read.
        return attempt(job, undefined).pipe(
          Effect.catchTag("Conflict", () =>
            Effect.flatMap(records.get(job.planned.delivery_id), (found) =>
              found === undefined ? attempt(job, undefined) : resume(job, found),
            ),
          ),
          Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.contended(key))),
        )
      }),
    deliverNow: (job) =>
      Effect.matchEffect(attempt(job, undefined), {
        onSuccess: (outcomes): Effect.Effect<FirstTry> => Effect.succeed({ _tag: "Ended", outcomes }),
        onFailure: (error) =>
          (error._tag === "Conflict" ? Effect.void : postpone(job, error)).pipe(
            // Then it is tried again sooner; a state that is away is met there again.
            Effect.catch((fault) => Effect.logDebug(`a try was not postponed: ${fault.message}`)),
            Effect.as({ _tag: "Open", tried: isCounted(error) ? 1 : 0 }),
          ),
      }),
    giveUp: Effect.fnUntraced(function* (assigned, failure) {
      const job = yield* find(assigned)
      if (job === undefined) return []
      const current = yield* records.get(job.planned.delivery_id)
      const status = current?.value.status
      if (status !== undefined && status !== "requested" && status !== "sending") {
        return current === undefined ? [] : yield* tell(job, current.value)
      }
      const change = { reason: failure.code, message: failure.message, retryable: true }
      return yield* finish(job, current, { status: "failed", ...change }).pipe(
        Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.contended(key))),
      )
    }),
  })
})

const isCounted = (error: HandlerError | Conflict): boolean => error._tag === "TransientError" && error.waiting !== true
