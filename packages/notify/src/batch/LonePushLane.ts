/**
 * Notifications with a single push, handled in arrays. The steps are those of `PushBatches.sendLone`, with the same documents:
 *
 *     plan → store the notification with the mark that the call begins → call → store the result → publish
 *
 * but all pushes of one pull are stored together, and all whose calls end in one turn of the event loop are. A push has no
 * fiber, unless its provider needs one for the call (`StartCall`). An unusual push (preferences, a paused provider, a request
 * that exists already) goes to the ordinary handler; a call without a final result ends as one of `sendLone`.
 */
import type { ConfigurationError } from "@armoricore/domain/Errors"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type { NotificationChannel } from "@armoricore/domain/NotificationState"
import type { ResultMessage } from "@armoricore/worker/ResultMessage"
import type { LaneHandler, LaneJob } from "@armoricore/worker/WorkerLane"
import { Cause, Clock, Duration, Effect, Exit, Latch } from "effect"
import * as DeliveryAttempts from "../delivery/DeliveryAttempts.ts"
import { DeliveryPolicy } from "../delivery/DeliveryPolicy.ts"
import type { InlineAttemptLimiter } from "../delivery/InlineAttemptLimiter.ts"
import * as PlannedDelivery from "../delivery/PlannedDelivery.ts"
import * as Metrics from "../NotifyMetrics.ts"
import { PreferenceRules } from "../preferences/PreferenceRules.ts"
import type { Accepted } from "../provider/Provider.ts"
import type { CallError, ProviderCircuit, Unavailable } from "../provider/ProviderCircuit.ts"
import { ProviderCircuits } from "../provider/ProviderCircuits.ts"
import type * as DocumentCache from "../request/DocumentCache.ts"
import * as NotificationPlan from "../request/NotificationPlan.ts"
import { type CallEnd, Notifications } from "../request/Notifications.ts"
import { DeliveryIdKey } from "../request/Target.ts"
import { Suppressions } from "../unsubscribe/Suppressions.ts"
import { PushBatches } from "./PushBatches.ts"

type Job = LaneJob<EventOf<"notification.requested">>
type CallExit = Exit.Exit<Accepted | Unavailable, CallError | ConfigurationError>

/** A push that has a slot of its channel. */
interface Push {
  readonly job: Job
  readonly delivery: PlannedDelivery.PlannedDelivery
  readonly circuit: ProviderCircuit
  readonly limiter: InlineAttemptLimiter
  readonly acquiredAt: number
}

interface Call extends Push {
  /** The notification as it was stored before the call. */
  readonly document: DocumentCache.Document
}

export const make = Effect.fnUntraced(function* (limiters: ReadonlyMap<NotificationChannel, InlineAttemptLimiter>) {
  const notifications = yield* Notifications
  const circuits = yield* ProviderCircuits
  const suppressions = yield* Suppressions
  const preferences = yield* PreferenceRules
  const batches = yield* PushBatches
  const { callTimeout } = yield* DeliveryPolicy
  const leaseMillis = Duration.toMillis(callTimeout) + DeliveryAttempts.leaseMarginMillis
  const idKey = yield* DeliveryIdKey
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const fork = Effect.runForkWith(context)

  /** The calls that run, with the effects that interrupt them. */
  const calls = new Map<Job, Effect.Effect<void>>()
  /** The jobs that wait for a slot, with the functions that end the wait. */
  const waiting = new Map<Job, () => void>()
  const idle = Latch.makeUnsafe(true)
  let open = 0
  let isStopping = false
  let ready: Array<Push> = []
  let ended: Array<readonly [Call, CallExit]> = []

  /** After this the job is out of the lane. */
  const leave = () => {
    if (--open === 0) idle.openUnsafe()
  }
  const releaseSlot = ({ acquiredAt, limiter }: Push) => {
    limiter.release(clock.currentTimeMillisUnsafe() - acquiredAt)
    leave()
  }

  const onReady = (push: Push) => {
    // All of one turn are stored together.
    if (ready.push(push) === 1) queueMicrotask(() => void fork(beginAll))
  }

  const decline = (push: Push) => {
    releaseSlot(push)
    if (isStopping) push.job.redeliver(Duration.zero)
    else push.job.decline()
  }

  /** Stores the notifications of all pushes, and starts their calls. */
  const beginAll = Effect.suspend(() => {
    const now = clock.currentTimeMillisUnsafe()
    // A push that is declined frees a slot, and the next one becomes ready.
    const all = ready
    ready = []
    const wanted = all.filter((push) => {
      const isPossible = !isStopping && push.circuit.unavailability(now) === undefined
      if (!isPossible) decline(push)
      return isPossible
    })
    return begin(wanted, now).pipe(
      // The ordinary handler meets the same error, and judges it.
      Effect.catchCause((cause) =>
        Effect.andThen(
          Effect.logDebug("The pushes of a pull were not stored together", cause),
          Effect.sync(() => wanted.forEach(decline)),
        ),
      ),
    )
  })

  const begin = Effect.fnUntraced(function* (wanted: ReadonlyArray<Push>, now: number) {
    if (wanted.length === 0) return
    const states = wanted.map(({ delivery }) => delivery.notification)
    const allowed = yield* preferences.applyAll(states, now)
    const refused = new Set<Push>()
    for (const [at, push] of wanted.entries()) {
      const { content } = push.delivery.notification
      const suppressed = yield* suppressions.reasonFor(push.delivery.planned.target, content.category)
      if (suppressed !== undefined || allowed[at] !== states[at]) refused.add(push)
    }
    const claims = wanted.filter((push) => !refused.has(push))
    const documents = yield* notifications.claimCalls(
      claims.map(({ circuit, delivery: { index, notification } }) => ({
        state: notification,
        index,
        call: { provider: circuit.provider.name, lease_until: now + leaseMillis },
      })),
    )
    refused.forEach(decline)
    claims.forEach((push, at) => {
      const document = documents[at]
      if (document === undefined) decline(push)
      else startCall({ ...push, document })
    })
  })

  const startCall = (call: Call) => {
    const { circuit, delivery, job } = call
    let isDone = false
    const interrupt = circuit.start(
      () => job.context(),
      PlannedDelivery.messageOf(delivery),
      (exit) => {
        isDone = true
        calls.delete(job)
        job.onCancelled = undefined
        // The poll phase of the event loop reads several responses before this runs.
        if (ended.push([call, exit]) === 1) setImmediate(() => void fork(endAll))
      },
    )
    if (isDone) return
    calls.set(job, interrupt)
    job.onCancelled = () => void fork(interrupt)
    if (isStopping) fork(interrupt)
  }

  /** The call has no final result, or was interrupted. */
  const endUnsent = (call: Call, exit: CallExit): Effect.Effect<void> => {
    const { circuit, delivery, document, job } = call
    if (exit._tag === "Success" || !Cause.hasInterruptsOnly(exit.cause))
      return recorded(call, Effect.provideContext(batches.endLone(delivery, circuit, exit), job.context()))
    const wasSent = circuit.provider.wasAbortedBeforeSend?.(delivery.planned.delivery_id) !== true
    return Effect.map(Effect.ignore(notifications.releaseClaim(document, delivery.index, wasSent)), () => {
      releaseSlot(call)
      job.redeliver(isStopping ? Duration.zero : afterCancellation)
    })
  }

  const succeed = (call: Call, messages: ReadonlyArray<ResultMessage>) => {
    releaseSlot(call)
    call.job.succeed(messages)
  }

  const recorded = (call: Call, results: ReturnType<PushBatches["Service"]["endLone"]>): Effect.Effect<void> =>
    Effect.matchCauseEffect(results, {
      onSuccess: (messages) => Effect.sync(() => succeed(call, messages)),
      onFailure: (cause) => {
        releaseSlot(call)
        call.job.redeliver(afterFailure)
        return Effect.logWarning("The result of a push could not be stored; its message is redelivered", cause)
      },
    })

  /** Stores the results of all calls that were accepted in one write. */
  const endAll = Effect.suspend(() => {
    const sent: Array<Call> = []
    const ends: Array<CallEnd> = []
    const rest: Array<Effect.Effect<void>> = []
    const all = ended
    ended = []
    for (const [call, exit] of all) {
      if (exit._tag === "Failure" || "_tag" in exit.value) {
        rest.push(endUnsent(call, exit))
        continue
      }
      const { circuit, delivery, document } = call
      const { channel, index } = delivery
      const labels = { channel, provider: circuit.provider.name, status: "sent" } as const
      Metrics.count(context, Metrics.deliveries, labels)
      sent.push(call)
      ends.push({
        claimed: document,
        update: { index, summary: { ...labels, ...providerIdOf(exit.value.providerId) } },
      })
    }
    const stored =
      sent.length === 0
        ? Effect.void
        : Effect.flatMap(notifications.endCalls(ends), (results) => {
            sent.forEach((call, at) => {
              const stored = results[at]
              if (stored === undefined) return
              if (stored._tag === "Stored") succeed(call, stored.events)
              else rest.push(recorded(call, stored.retry))
            })
            return Effect.void
          })
    return Effect.andThen(
      stored,
      Effect.suspend(() => Effect.forEach(rest, (one) => one, { concurrency: "unbounded", discard: true })),
    )
  })

  /** Undefined: the ordinary handler takes the job. */
  const planOf = (job: Job, now: number) => {
    const planned = NotificationPlan.lonePushOf(job.event, job.bytes, now, idKey)
    const delivery = planned === undefined ? undefined : PlannedDelivery.of(planned, 0)
    if (delivery === undefined || PlannedDelivery.isExpired(delivery.notification, now)) return undefined
    const [circuit, ...others] = circuits.forChannel(delivery.channel)
    const limiter = limiters.get(delivery.channel)
    return circuit === undefined ||
      others.length > 0 ||
      circuit.provider.maxConcurrent !== undefined ||
      limiter === undefined
      ? undefined
      : { job, delivery, circuit, limiter }
  }

  const start = (job: Job) => {
    const now = clock.currentTimeMillisUnsafe()
    const plan = isStopping ? undefined : planOf(job, now)
    if (plan === undefined) return job.decline()
    const enter = () => {
      open++
      idle.closeUnsafe()
    }
    if (plan.limiter.tryAcquire()) {
      enter()
      return onReady({ ...plan, acquiredAt: now })
    }
    const cancel = plan.limiter.wait(() => {
      waiting.delete(job)
      onReady({ ...plan, acquiredAt: clock.currentTimeMillisUnsafe() })
    }, maxWaitMillis)
    if (cancel === undefined) return job.decline()
    enter()
    waiting.set(job, cancel)
  }

  const stop = Effect.suspend(() => {
    isStopping = true
    for (const [job, cancel] of waiting) {
      cancel()
      leave()
      job.redeliver(Duration.zero)
    }
    waiting.clear()
    return Effect.forEach([...calls.values()], (interrupt) => interrupt, { concurrency: "unbounded", discard: true })
  }).pipe(Effect.andThen(idle.await))

  return {
    accepts: ({ payload }) => NotificationPlan.isLonePush(payload),
    start: (jobs) => jobs.forEach(start),
    stop,
  } satisfies LaneHandler<EventOf<"notification.requested">>
})

/** A push that would wait longer for its slot goes to the ordinary handler, so that other channels do not wait behind it. */
const maxWaitMillis = 1_000

const providerIdOf = (provider_id: string | undefined) => (provider_id === undefined ? {} : { provider_id })

/** The next delivery finds the cancellation. */
const afterCancellation = Duration.millis(100)
const afterFailure = Duration.seconds(1)
