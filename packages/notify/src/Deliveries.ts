/**
 * One delivery from its work message to a final state:
 *
 *     write `sending` → call the provider → write `sent` → tell the notification → (worker loop) decide, publish, ack
 *
 * Where it may stop, and what the next worker does:
 * - before `sending`: as if nothing had been;
 * - `sending` and its lease lives: somebody may be calling just now, so it waits;
 * - `sending` and the lease is over: a call may have been made and its end is not known. A push is sent again under the
 *   same ids, so that the device shows one; an e-mail follows `DeliveryPolicy.strictMail`;
 * - after `sent`, or any other final state: the notification is told again and the same event comes of it.
 *
 * Failures of one target never touch another: each has its own message, state and tries.
 */
import { type ConfigurationError, type Conflict, TransientError } from "@armoricore/domain/Errors"
import { derivedId } from "@armoricore/domain/Causation"
import type { DeliverySummary } from "@armoricore/domain/events/notification"
import type { Channel, DeliveryState, NotificationState, Planned } from "@armoricore/domain/NotificationState"
import type { HandlerError } from "@armoricore/worker/Handler"
import { emit, type Outcome } from "@armoricore/worker/Outcome"
import { Clock, Context, Duration, Effect, Layer, Option, Result } from "effect"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
import * as DeliveryRecord from "./DeliveryRecord.ts"
import { Notifications } from "./Notifications.ts"
import * as Metrics from "./NotifyMetrics.ts"
import { type Message, type RouteError, Routes } from "./Route.ts"
import * as RouteGuard from "./RouteGuard.ts"
import { Suppressions } from "./Suppressions.ts"
import { hashOf, platformOf } from "./Target.ts"
import { Unsubscribe } from "./Unsubscribe.ts"

/** The body of a delivery's work message. */
export interface Assigned {
  readonly notification_id: string
  readonly index: number
}

/** A delivery with everything it needs to know. */
interface Job {
  readonly notification: NotificationState
  readonly planned: Planned
  readonly channel: Channel
  readonly index: number
}

type Document = DeliveryRecord.Document
type StateFault = TransientError | ConfigurationError

export class Deliveries extends Context.Service<
  Deliveries,
  {
    readonly deliver: (assigned: Assigned) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError>
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
  const suppressions = yield* Suppressions
  const unsubscribe = yield* Unsubscribe
  const policy = yield* DeliveryPolicy
  const records = yield* DeliveryRecord.make
  const routes = yield* Routes
  const guards = new Map<Channel, ReadonlyArray<RouteGuard.RouteGuard>>()
  // A provider that serves two channels has one guard: its outage is one outage.
  const byRoute = new Map<string, RouteGuard.RouteGuard>()
  for (const channel of ["fcm", "apns", "web_push", "email"] as const) {
    const mine = yield* Effect.forEach(routes.of(channel), (route) => {
      const known = byRoute.get(route.name)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.tap(RouteGuard.make(route), (guard) => Effect.sync(() => void byRoute.set(route.name, guard)))
    })
    guards.set(channel, mine)
  }

  const find = Effect.fnUntraced(function* ({ index, notification_id }: Assigned) {
    const notification = Option.getOrUndefined(yield* notifications.get(notification_id))
    const planned = notification?.deliveries[index]
    if (notification === undefined || planned === undefined) {
      yield* Effect.logWarning(`a delivery of ${notification_id} is dropped: the notification is not known any more`)
      return undefined
    }
    return { notification, planned, index, channel: planned.target.channel } satisfies Job
  })

  const about = ({ channel, notification, planned }: Job) => ({
    delivery_id: planned.delivery_id,
    notification_id: notification.notification_id,
    channel,
  })

  /** Tells the notification of a final delivery, and the backend of a dead token. */
  const tell = (job: Job, state: DeliveryState) =>
    Effect.gen(function* () {
      yield* Metrics.count(Metrics.deliveries, {
        channel: job.channel,
        provider: state.provider ?? "none",
        status: state.status,
      })
      const outcomes = yield* notifications.tell(job.notification.notification_id, {
        index: job.index,
        summary: summaryOf(state),
      })
      if (state.target_dead !== true || job.channel === "email") return outcomes
      const dead = emit(
        "device.token_invalid",
        {
          user_id: job.notification.user_id,
          platform: platformOf(job.channel),
          token_hash: hashOf(job.planned.target),
          reason: state.reason ?? "dead",
          ...(state.dead_since === undefined ? {} : { invalid_since: new Date(state.dead_since).toISOString() }),
        },
        state.delivery_id,
      )
      return [dead, ...outcomes]
    })

  const finish = (job: Job, current: Document | undefined, change: DeliveryRecord.Change) =>
    Effect.flatMap(
      current === undefined
        ? Effect.map(records.write(about(job), undefined, change), ({ value }) => value)
        : Effect.map(records.conclude(current, change), ({ value }) => value),
      (state) => tell(job, state),
    )

  /** Nobody knows whether the provider took it. */
  const unknown = Effect.fnUntraced(function* (job: Job, current: Document, message: string, reports: boolean) {
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

  const reportsOf = (job: Job, provider: string | undefined) =>
    (guards.get(job.channel) ?? []).some(({ route }) => route.name === provider && route.reports)

  /** What is stored decides whether to go on. */
  const resume = Effect.fnUntraced(function* (job: Job, current: Document) {
    const { lease_until = 0, provider, resend_at, retryable, status } = current.value
    const now = yield* Clock.currentTimeMillis
    if (status === "requested" || (status === "failed" && retryable === true)) return yield* attempt(job, current)
    if (status === "sending") {
      if (lease_until > now)
        return yield* waiting("being_sent", "somebody may be sending this just now", lease_until - now)
      return yield* unknown(job, current, "the sender stopped before the provider's answer", reportsOf(job, provider))
    }
    if (status !== "unknown" || resend_at === undefined) return yield* tell(job, current.value)
    if (resend_at > now) return yield* waiting("awaiting_report", "the provider may still report it", resend_at - now)
    yield* Metrics.count(Metrics.resent, { channel: job.channel })
    return yield* attempt(job, current)
  })

  const attempt = Effect.fnUntraced(function* (
    job: Job,
    found: Document | undefined,
  ): Effect.fn.Return<ReadonlyArray<Outcome>, HandlerError | Conflict> {
    const { notification, planned } = job
    const { content } = notification
    const now = yield* Clock.currentTimeMillis
    if (content.expires_at !== undefined && content.expires_at <= now) {
      return yield* finish(job, found, { status: "expired", reason: "expired" })
    }
    const suppressed = yield* suppressions.why(planned.target, content.category)
    if (suppressed !== undefined) return yield* finish(job, found, { status: "suppressed", reason: suppressed })
    const mine = guards.get(job.channel) ?? []
    if (mine.length === 0) {
      return yield* finish(job, found, {
        status: "failed",
        reason: "no_provider",
        message: `no provider for ${job.channel} is configured`,
      })
    }
    const message = yield* messageOf(job, unsubscribe)
    let current = found
    let soonest: RouteGuard.Closed | undefined
    let failed: TransientError | undefined
    for (const guard of mine) {
      const provider = guard.route.name
      const begin = Effect.gen(function* () {
        const at = yield* Clock.currentTimeMillis
        current = yield* records.write(about(job), current, {
          status: "sending",
          attempt: (current?.value.attempt ?? 0) + 1,
          lease_until: at + Duration.toMillis(policy.callLimit) + leaseSlack,
          provider,
        })
      })
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
          Effect.onInterrupt(() => letGo(current)),
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
    if (failed !== undefined) return yield* late ? counted(failed) : failed
    const { waitMillis, why } = soonest ?? { waitMillis: 1_000, why: "route_paused" }
    return yield* late
      ? new TransientError({
          dependency: job.channel,
          code: why,
          message: `no provider for ${job.channel} was available`,
        })
      : waiting(why, `no provider for ${job.channel} is available now`, waitMillis)
  })

  /** An interrupted call leaves its outcome unknown at once: nobody needs to wait for the lease. */
  const letGo = (current: Document | undefined) =>
    current?.value.status !== "sending"
      ? Effect.void
      : records
          .write(current.value, current, { status: "sending", attempt: current.value.attempt, lease_until: 0 })
          .pipe(Effect.catch((error) => Effect.logDebug(`a lease was not given back: ${error.message}`)))

  return Deliveries.of({
    deliver: Effect.fnUntraced(function* (assigned) {
      const job = yield* find(assigned)
      if (job === undefined) return []
      // Nearly every delivery is new: its first write finds out, which saves a read.
      return yield* attempt(job, undefined).pipe(
        Effect.catchTag("Conflict", () =>
          Effect.flatMap(records.get(job.planned.delivery_id), (found) =>
            found === undefined ? attempt(job, undefined) : resume(job, found),
          ),
        ),
        Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.contended(key))),
      )
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

/** The lease outlives the call by so much, for the write after it. */
const leaseSlack = 2_000

const waiting = (code: string, message: string, retryAfterMillis: number) =>
  Effect.fail(new TransientError({ dependency: "notify", code, message, retryAfterMillis, waiting: true }))

/** The same failure, using up a try. */
const counted = ({ code, dependency, message }: TransientError) => new TransientError({ dependency, code, message })

const sooner = (a: TransientError, b: TransientError) => (a.retryAfterMillis ?? 0) < (b.retryAfterMillis ?? 0)

/** How a call of one route ended. */
type End =
  | { readonly _tag: "Taken"; readonly state: DeliveryState }
  | RouteGuard.Closed
  | { readonly _tag: "Refused"; readonly error: RouteError | Conflict }

/** A failure before anything was written. */
const lost = (error: RouteError): Effect.Effect<never, HandlerError> =>
  error._tag === "TransientError" || error._tag === "ConfigurationError"
    ? Effect.fail(error)
    : Effect.fail(new TransientError({ dependency: "notify", code: "internal_error", message: error.message }))

const summaryOf = (state: DeliveryState): DeliverySummary => ({
  channel: state.channel,
  provider: state.provider ?? "none",
  // Whoever tells has a final state: requested and sending never come here.
  status: state.status === "requested" || state.status === "sending" ? "failed" : state.status,
  ...(state.provider_id === undefined ? {} : { provider_id: state.provider_id }),
  ...(state.reason === undefined ? {} : { reason: state.reason }),
})

const messageOf = ({ notification, planned }: Job, unsubscribe: Unsubscribe["Service"]): Effect.Effect<Message> =>
  Effect.gen(function* () {
    const { attachments = [], category, collapse_key, data, expires_at, html, text, title } = notification.content
    const url =
      planned.target.channel === "email" && category !== undefined
        ? yield* unsubscribe.urlFor(planned.target, category)
        : undefined
    return {
      deliveryId: planned.delivery_id,
      notificationId: notification.notification_id,
      userId: notification.user_id,
      target: planned.target,
      title,
      text,
      data,
      attachments,
      uuid: derivedId("delivery", planned.delivery_id),
      ...(html === undefined ? {} : { html }),
      ...(collapse_key === undefined ? {} : { collapseKey: collapse_key }),
      ...(expires_at === undefined ? {} : { expiresAt: expires_at }),
      ...(url === undefined ? {} : { unsubscribeUrl: url }),
    }
  })
