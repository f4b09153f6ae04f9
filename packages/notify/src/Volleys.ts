/**
 * The first tries of a push to many targets, in one piece of work: what is true of all of them (the message, the claim,
 * the record that says that calls were begun, the telling) is done once for up to a hundred.
 *
 *     write that it begins → call the provider for each target, noting what ends → tell the notification
 *
 * - A target is on its own from its first failure on: what may be tried again gets a message of its own, and nothing
 *   that becomes of it touches the others.
 * - A worker dies in the middle: targets whose end is noted are not sent to again; of the others nobody knows, so each is
 *   sent again under its own ids, and the device shows one. That is why no e-mail goes this way.
 * - Two workers hold one volley (a lease ran out while its owner was stopped): the second sends again what it finds
 *   without an end, under the same ids; the ledger lets one of them tell.
 */
import type { Conflict } from "@armoricore/domain/Errors"
import type { Channel, NotificationState, VolleyState } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import { volleyStates } from "@armoricore/state/NotificationStates"
import type { HandlerError } from "@armoricore/worker/Handler"
import type { Outcome } from "@armoricore/worker/Outcome"
import { delayAfter, policyOf } from "@armoricore/worker/Retry"
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Option, Schedule, Schema } from "effect"
import { waiting } from "./Attempts.ts"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
import * as DeliveryRecord from "./DeliveryRecord.ts"
import * as Job from "./Job.ts"
import { Notifications } from "./Notifications.ts"
import * as Metrics from "./NotifyMetrics.ts"
import type { RouteGuard } from "./RouteGuard.ts"
import { RouteGuards } from "./RouteGuards.ts"
import * as Slots from "./Slots.ts"
import { Suppressions } from "./Suppressions.ts"
import * as Verdicts from "./Verdicts.ts"
import * as Volley from "./Volley.ts"
import * as WorkKinds from "./WorkKinds.ts"

/** The body of a volley's work message: targets of one channel of one notification. */
export const Aimed = Schema.Struct({ notification_id: Schema.String, indexes: Schema.Array(Schema.Int) })
export type Aimed = typeof Aimed.Type

/** Targets of one volley; what it decides must fit into one document of the state. */
export const size = 100

type Outcomes = VolleyState["outcomes"]
type End = Outcomes[number]

export class Volleys extends Context.Service<
  Volleys,
  {
    readonly fire: (aimed: Aimed) => Effect.Effect<ReadonlyArray<Outcome>, HandlerError>
  }
>()("@armoricore/notify/Volleys") {
  static readonly layer = Layer.effect(
    Volleys,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const notifications = yield* Notifications
  const guards = yield* RouteGuards
  const suppressions = yield* Suppressions
  const { concurrency, patience } = yield* DeliveryPolicy
  const retry = yield* policyOf("notify")
  const volleys = yield* Collection.make(volleyStates)
  const records = yield* DeliveryRecord.make
  const slotsOf = new Map<Channel, Slots.Slots>()

  const slots = (channel: Channel): Slots.Slots => {
    const known = slotsOf.get(channel)
    if (known !== undefined) return known
    const fresh = Slots.make(concurrency)
    slotsOf.set(channel, fresh)
    return fresh
  }

  /** What a call's end says of its target. */
  const judge = Effect.fnUntraced(function* ({ end, job }: Volley.Ended, provider: string): Effect.fn.Return<End> {
    const { index } = job
    if (Exit.isSuccess(end) && !("_tag" in end.value)) {
      const { providerId: provider_id } = end.value
      return { index, status: "sent", provider, ...(provider_id === undefined ? {} : { provider_id }) }
    }
    const now = yield* Clock.currentTimeMillis
    const later = (afterMillis: number): End => ({
      index,
      status: "requested",
      provider,
      not_before: now + afterMillis,
    })
    /** A failed try, and when the next may be. */
    const again = (retryAfterMillis?: number) =>
      Effect.map(delayAfter(retry, 1, retryAfterMillis), (delay) => ({
        ...later(Duration.toMillis(delay)),
        tried: true as const,
      }))
    if (Exit.isSuccess(end)) return later("waitMillis" in end.value ? end.value.waitMillis : 0)
    const error = Option.getOrUndefined(Cause.findErrorOption(end.cause))
    switch (error?._tag) {
      case "TargetDead": {
        const { reason, since } = error
        const dead = { target_dead: true, ...(since === undefined ? {} : { dead_since: since }) }
        return { index, status: "failed", provider, reason, ...dead }
      }
      case "PermanentError":
        return { index, status: "failed", provider, reason: error.code }
      case "OutcomeUnknown": {
        yield* Metrics.count(Metrics.unknown, { channel: job.channel })
        yield* Metrics.count(Metrics.resent, { channel: job.channel })
        return yield* again()
      }
      case "TransientError":
        return error.waiting === true ? later(error.retryAfterMillis ?? 0) : yield* again(error.retryAfterMillis)
      default:
        // A fault of ours, which its own message meets again and counts.
        yield* Effect.logError("a call ended with a defect", end.cause)
        return yield* again()
    }
  })

  /** Calls for each; every end is noted before anything is told. */
  const call = Effect.fnUntraced(function* (
    { id, ...begun }: { readonly id: string; readonly revision: number; readonly outcomes: Outcomes },
    guard: RouteGuard,
    channel: Channel,
    shots: ReadonlyArray<Volley.Shot>,
  ) {
    const outcomes = [...begun.outcomes]
    let { revision } = begun
    yield* Volley.fire(guard, slots(channel), shots, (ended) =>
      Effect.gen(function* () {
        for (const one of ended) outcomes.push(yield* judge(one, guard.route.name))
        revision = yield* write(id, outcomes, revision)
      }),
    )
    return outcomes
  })

  /** Tries hard: calls cannot be undone. */
  const write = (id: string, outcomes: Outcomes, revision: number): Effect.Effect<number, Conflict | HandlerError> =>
    Effect.retry(volleys.update(id, { volley_id: id, outcomes }, revision), {
      while: (error) => error._tag === "TransientError",
      schedule: Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 6 })),
    })

  /** The message of its own for a target that may be tried again, and when. */
  const assign = Effect.fnUntraced(function* (job: Job.Job, { not_before, tried }: Partial<End> = {}) {
    if (not_before !== undefined) {
      // Where one is there already: a repetition, or a report that says more.
      const write = records.write(Job.about(job), undefined, {
        status: "requested",
        not_before,
        attempt: tried === true ? 1 : 0,
      })
      yield* Effect.catchTag(write, "Conflict", () => Effect.void)
    }
    return WorkKinds.delivery(job, tried === true ? 1 : 0)
  })

  const conclude = Effect.fnUntraced(function* (
    notification: NotificationState,
    jobs: ReadonlyArray<Job.Job>,
    outcomes: Outcomes,
  ) {
    const ends = new Map(outcomes.map((outcome) => [outcome.index, outcome]))
    const verdicts: Array<Verdicts.Verdict> = []
    const messages: Array<Outcome> = []
    for (const job of jobs) {
      const final = ends.get(job.index)
      if (final === undefined) {
        yield* Metrics.count(Metrics.unknown, { channel: job.channel })
        yield* Metrics.count(Metrics.resent, { channel: job.channel })
      }
      if (final === undefined || final.status === "requested") messages.push(yield* assign(job, final))
      else verdicts.push({ job, final })
    }
    const told = yield* Verdicts.tell(notifications, notification.notification_id, verdicts)
    return [...told, ...messages]
  })

  /** Nothing needs to be called for these. */
  const unsent = (jobs: ReadonlyArray<Job.Job>, status: End["status"], reason: string): Outcomes =>
    jobs.map(({ index }) => ({ index, status, provider: "none", reason }))

  return Volleys.of({
    fire: Effect.fnUntraced(function* ({ indexes, notification_id }) {
      const found = yield* notifications.get(notification_id)
      if (Option.isNone(found)) {
        yield* Effect.logWarning(`a volley of ${notification_id} is dropped: the notification is not known any more`)
        return []
      }
      const notification = found.value
      const jobs = indexes.flatMap((index) => Job.of(notification, index) ?? [])
      const [first] = jobs
      if (first === undefined) return []
      const { channel } = first
      const id = `${notification_id}.volley.${first.index}`
      // A worker before this one began it: its word stands, and what it did not say is not known.
      const before = yield* volleys.get(id)
      if (Option.isSome(before)) return yield* conclude(notification, jobs, before.value.value.outcomes)
      const now = yield* Clock.currentTimeMillis
      if (Job.isExpired(notification, now)) {
        return yield* conclude(notification, jobs, unsent(jobs, "expired", "expired"))
      }
      const [guard, ...others] = guards.of(channel)
      if (guard === undefined) return yield* conclude(notification, jobs, unsent(jobs, "failed", "no_provider"))
      // Which route takes over for which target is for each to find out.
      if (others.length > 0) return jobs.map((job) => WorkKinds.delivery(job))
      const shut = guard.shut(now)
      if (shut !== undefined) {
        // Whoever waited too long counts tries, each on its own.
        if (now > notification.requested_at + Duration.toMillis(patience))
          return jobs.map((job) => WorkKinds.delivery(job))
        return yield* waiting(shut.why, `${guard.route.name} is not called now`, shut.waitMillis)
      }
      const suppressed: Array<End> = []
      const shots: Array<Volley.Shot> = []
      for (const job of jobs) {
        const reason = yield* suppressions.why(job.planned.target, notification.content.category)
        if (reason === undefined) shots.push({ job, message: Job.messageOf(job, undefined) })
        else suppressed.push({ index: job.index, status: "suppressed", provider: "none", reason })
      }
      const outcomes = yield* volleys.create(id, { volley_id: id, outcomes: suppressed }).pipe(
        Effect.flatMap((revision) => call({ id, revision, outcomes: suppressed }, guard, channel, shots)),
        Effect.catchTag("Conflict", ({ key }) => Effect.fail(DeliveryRecord.contended(key))),
      )
      return yield* conclude(notification, jobs, outcomes)
    }),
  })
})
