/**
 * One try to deliver: the channel's routes are asked in their order until one takes the message or says something
 * final of it.
 *
 *     write `sending` → call the provider → write `sent`, or what else came of it → tell the notification
 *
 * What the next worker finds where this one stopped is `Deliveries`' affair.
 */
import { type ConfigurationError, type Conflict, TransientError } from "@armoricore/domain/Errors"
import type { DeliveryState } from "@armoricore/domain/NotificationState"
import type { HandlerError } from "@armoricore/worker/Handler"
import type { Outcome } from "@armoricore/worker/Outcome"
import { Clock, Duration, Effect, Result } from "effect"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
import type * as DeliveryRecord from "./DeliveryRecord.ts"
import * as Job from "./Job.ts"
import { Notifications } from "./Notifications.ts"
import * as Metrics from "./NotifyMetrics.ts"
import { noLaterThan } from "./Patience.ts"
import type * as RouteGuard from "./RouteGuard.ts"
import { RouteGuards } from "./RouteGuards.ts"
import { Suppressions } from "./Suppressions.ts"
import { hashOf } from "./Target.ts"
import { Unsubscribe } from "./Unsubscribe.ts"
import * as Verdicts from "./Verdicts.ts"

type Document = DeliveryRecord.Document
type StateFault = TransientError | ConfigurationError
type Tried = Effect.Effect<ReadonlyArray<Outcome>, HandlerError | Conflict>

/** The lease outlives the call by so much, for the write after it. */
const leaseSlack = 2_000

/** Needs the services of a delivery; `records` are where it writes. */
export const make = (records: DeliveryRecord.DeliveryRecord) =>
  Effect.gen(function* () {
    const guards = yield* RouteGuards
    const notifications = yield* Notifications
    const suppressions = yield* Suppressions
    const unsubscribe = yield* Unsubscribe
    const policy = yield* DeliveryPolicy
    const leaseMillis = Duration.toMillis(policy.callLimit) + leaseSlack

    const tell = (job: Job.Job, final: DeliveryState) =>
      Verdicts.tell(notifications, job.notification.notification_id, [{ job, final }])

    /** Writes a final state, and tells it. */
    const finish = (job: Job.Job, current: Document | undefined, change: DeliveryRecord.Change) =>
      Effect.flatMap(
        current === undefined ? records.write(Job.about(job), undefined, change) : records.conclude(current, change),
        ({ value }) => tell(job, value),
      )

    /** Nobody knows whether the provider took it. `reports`: it may tell later. */
    const unknown = Effect.fnUntraced(function* (job: Job.Job, current: Document, message: string, reports: boolean) {
      yield* Metrics.count(Metrics.unknown, { channel: job.channel })
      const reason = { reason: "no_answer", message }
      if (job.channel === "email" && policy.strictMail)
        return yield* finish(job, current, { status: "unknown", ...reason })
      const now = yield* Clock.currentTimeMillis
      const wait = job.channel === "email" && reports ? Duration.toMillis(policy.reportWait) : 0
      yield* records.conclude(current, { status: "unknown", ...reason, resend_at: now + wait })
      return yield* wait > 0
        ? waiting("awaiting_report", message, wait)
        : new TransientError({ dependency: current.value.provider ?? job.channel, code: "no_answer", message })
    })

    /** An interrupted call leaves its outcome unknown at once, or is as if it had not been: nobody needs to wait. */
    const letGo = (current: Document | undefined, { route }: RouteGuard.RouteGuard) => {
      if (current?.value.status !== "sending") return Effect.void
      const { attempt, delivery_id } = current.value
      const after: DeliveryRecord.Change =
        route.wasWithdrawn?.(delivery_id) === true
          ? { status: "requested", attempt }
          : { status: "sending", attempt, lease_until: 0 }
      return records
        .write(current.value, current, after)
        .pipe(Effect.catch((error) => Effect.logDebug(`a lease was not given back: ${error.message}`)))
    }

    const call = Effect.fnUntraced(function* (
      job: Job.Job,
      found: Document | undefined,
      mine: ReadonlyArray<RouteGuard.RouteGuard>,
      now: number,
    ): Effect.fn.Return<ReadonlyArray<Outcome>, HandlerError | Conflict> {
      const { notification, planned } = job
      const { category } = notification.content
      const url =
        planned.target.channel === "email" && category !== undefined
          ? yield* unsubscribe.urlFor(planned.target, category)
          : undefined
      const message = Job.messageOf(job, url)
      let current = found
      let soonest: RouteGuard.Closed | undefined
      let failed: TransientError | undefined
      for (const guard of mine) {
        const begin = Effect.flatMap(Clock.currentTimeMillis, (at) =>
          Effect.map(
            records.write(Job.about(job), current, {
              status: "sending",
              attempt: (current?.value.attempt ?? 0) + 1,
              lease_until: at + leaseMillis,
              provider: guard.route.name,
            }),
            (written) => {
              current = written
            },
          ),
        )
        const end = yield* Effect.uninterruptibleMask((restore) =>
          restore(Effect.result(guard.attempt(message, begin))).pipe(
            Effect.flatMap((result): Effect.Effect<End, StateFault> => {
              if (Result.isFailure(result)) return Effect.succeed({ _tag: "Refused", error: result.failure })
              const answer = result.success
              if ("_tag" in answer) return Effect.succeed(answer)
              if (current === undefined) return Effect.die(new Error("a call without a state before it"))
              // What the provider took is written down before anything may interrupt.
              const { providerId: provider_id } = answer
              return Effect.map(
                records.conclude(current, { status: "sent", ...(provider_id === undefined ? {} : { provider_id }) }),
                ({ value }): End => ({ _tag: "Taken", state: value }),
              )
            }),
            Effect.onInterrupt(() => letGo(current, guard)),
          ),
        )
        if (end._tag === "Taken") return yield* tell(job, end.state)
        if (end._tag === "Closed") {
          if (soonest === undefined || end.waitMillis < soonest.waitMillis) soonest = end
          continue
        }
        const { error } = end
        if (error._tag === "Conflict") return yield* error
        if (current === undefined) return yield* lost(error)
        switch (error._tag) {
          case "TargetDead": {
            if (job.channel === "email") yield* suppressions.add(hashOf(planned.target), "bounced")
            const since = error.since === undefined ? {} : { dead_since: error.since }
            const change = { reason: error.reason, message: error.message, target_dead: true, ...since }
            return yield* finish(job, current, { status: "failed", ...change })
          }
          case "PermanentError":
            return yield* finish(job, current, { status: "failed", reason: error.code, message: error.message })
          case "OutcomeUnknown":
            return yield* unknown(job, current, error.message, guard.route.reports)
          // Of the state, not of the route: that one pauses.
          case "ConfigurationError":
            return yield* error
          case "TransientError":
            failed = failed === undefined || sooner(error, failed) ? error : failed
        }
      }
      // Nobody took it, and everybody said so: the next try begins as if this one had not been.
      if (current?.value.status === "sending") yield* records.conclude(current, { status: "requested" })
      const late = now > notification.requested_at + Duration.toMillis(policy.patience)
      // Whoever waits for a provider hears of the end when it comes, not when the provider would be ready.
      const left = Job.expiresAt(notification) - now
      if (failed !== undefined) return yield* late ? counted(failed) : noLaterThan(failed, left)
      const { waitMillis, why } = soonest ?? { waitMillis: 1_000, why: "route_paused" }
      const none = `no provider for ${job.channel} `
      return yield* late
        ? new TransientError({ dependency: job.channel, code: why, message: `${none}was available` })
        : waiting(why, `${none}is available now`, Math.min(waitMillis, left))
    })

    const attempt = (job: Job.Job, found: Document | undefined): Tried =>
      Effect.flatMap(Clock.currentTimeMillis, (now): Tried => {
        const { notification, planned } = job
        if (Job.isExpired(notification, now)) return finish(job, found, { status: "expired", reason: "expired" })
        const mine = guards.of(job.channel)
        return Effect.flatMap(suppressions.why(planned.target, notification.content.category), (suppressed): Tried => {
          if (suppressed !== undefined) return finish(job, found, { status: "suppressed", reason: suppressed })
          if (mine.length > 0) return call(job, found, mine, now)
          const message = `no provider for ${job.channel} is configured`
          return finish(job, found, { status: "failed", reason: "no_provider", message })
        })
      })

    return { attempt, finish, tell, unknown }
  })

/** It waits, without using up a try. */
export const waiting = (code: string, message: string, retryAfterMillis: number) =>
  Effect.fail(new TransientError({ dependency: "notify", code, message, retryAfterMillis, waiting: true }))

/** The same failure, using up a try. */
const counted = ({ code, dependency, message }: TransientError) => new TransientError({ dependency, code, message })

const sooner = (a: TransientError, b: TransientError) => (a.retryAfterMillis ?? 0) < (b.retryAfterMillis ?? 0)

/** How a call of one route ended. */
type End =
  | { readonly _tag: "Taken"; readonly state: DeliveryState }
  | RouteGuard.Closed
  | { readonly _tag: "Refused"; readonly error: RouteGuard.CallError | ConfigurationError | Conflict }

/** A failure before anything was written. */
const lost = (error: RouteGuard.CallError | ConfigurationError): Effect.Effect<never, HandlerError> =>
  error._tag === "TransientError" || error._tag === "ConfigurationError"
    ? Effect.fail(error)
    : Effect.fail(new TransientError({ dependency: "notify", code: "internal_error", message: error.message }))
