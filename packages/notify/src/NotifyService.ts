/**
 * The notify service: turns `notification.requested` into one delivery a target, and tells what became of them with
 * `notification.sent` or `.failed`, `device.token_invalid`, and later `notification.delivered` or `.bounced`. Whoever
 * builds the Layer runs the service; closing the Layer drains it.
 *
 * - `notification.requested` makes the state document and fans out;
 * - each channel has a work queue of its own, so that a slow provider holds up nobody else's deliveries;
 * - `settle` notes deliveries that the worker loop gave up; `report` notes what webhooks brought.
 */
import { Channel } from "@armoricore/domain/NotificationState"
import type { PayloadOf } from "@armoricore/domain/Events"
import { on, onWork } from "@armoricore/worker/Handler"
import { emit, enqueue, type Outcome } from "@armoricore/worker/Outcome"
import * as Worker from "@armoricore/worker/Worker"
import { Effect, Layer, Option, Schema } from "effect"
import { Deliveries } from "./Deliveries.ts"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
import * as Job from "./Job.ts"
import { Notifications } from "./Notifications.ts"
import * as Places from "./Places.ts"
import { notificationIdOf } from "@armoricore/domain/events/notification"
import * as Plan from "./Plan.ts"
import { Report, Reports } from "./Reports.ts"
import { RouteGuards } from "./RouteGuards.ts"
import * as Volleys from "./Volleys.ts"
import * as WorkKinds from "./WorkKinds.ts"

/** Deliveries that one message enqueues; what a decision holds must fit into one document of the state. */
const batch = 100
/** They share the channel's calls at once; the next is planned while one waits for its last answers. */
const volleysAtOnce = 4

const Assigned = Schema.Struct({
  notification_id: Schema.String,
  index: Schema.Int,
  /** Failed tries that were made before this message. */
  tried: Schema.optionalKey(Schema.Int),
})
const Batch = Schema.Struct({ notification_id: Schema.String, from: Schema.Int })
const Abandoned = Schema.Struct({ ...Assigned.fields, code: Schema.String, message: Schema.String })

/** Every kind of internal work, so that `armoricore setup` can make its queues. */
export const workKinds = WorkKinds.all

/** Requests at once: those that plan, and those that are tried or wait for it. */
const requests = 128
/** Of lone deliveries of a channel at most so many are tried before they get a message of their own. */
export const firstTries = 48
const quickMillis = 30

/** Handlers only; needs the services that they use. */
export const layerNoDeps = Layer.effectDiscard(
  Effect.gen(function* () {
    const deliveries = yield* Deliveries
    const salvos = yield* Volleys.Volleys
    const notifications = yield* Notifications
    const reports = yield* Reports
    const { concurrency } = yield* DeliveryPolicy
    const guards = yield* RouteGuards

    const placesOf = new Map(
      Channel.literals.map((channel) => {
        const [first] = guards.of(channel)
        // Twice what the provider takes at once: while one is called, the next is made ready.
        return [
          channel,
          Places.make({ size: Math.min(firstTries, 2 * (first?.route.atOnce ?? firstTries)), quickMillis }),
        ]
      }),
    )

    /** A lone delivery is tried in place, which spares its message; where that does not end it, it gets one after all. */
    const tryNow = (job: Job.Job): Effect.Effect<ReadonlyArray<Outcome>> => {
      const tried = placesOf.get(job.channel)?.use(deliveries.deliverNow(job)) ?? Effect.succeed(undefined)
      return Effect.map(tried, (end) =>
        end?._tag === "Ended" ? end.outcomes : [WorkKinds.delivery(job, end?.tried ?? 0)],
      )
    }

    /** Pushes go in volleys, e-mails one by one: nobody can replace an e-mail that was sent twice. */
    const messagesOf = (jobs: ReadonlyArray<Job.Job>): ReadonlyArray<Outcome> => {
      const volleys = [...Map.groupBy(jobs, ({ channel }) => channel)].flatMap(([channel, mine]) => {
        if (!WorkKinds.volleyChannels.includes(channel)) return mine.map((job) => WorkKinds.delivery(job))
        return chunksOf(mine, Volleys.size).map((aimed) => WorkKinds.volley(channel, aimed))
      })
      return volleys
    }

    const request = on("notification.requested", {
      concurrency: requests,
      handle: Effect.fnUntraced(function* (event, { message }) {
        const planned = yield* Plan.make(event, message.body.byteLength)
        const state = yield* notifications.create(planned)
        yield* notifications.alias(event.event_id, state.notification_id)
        if (state.cause !== event.event_id) {
          yield* Effect.logInfo("a notification was asked for again under its idempotency key", {
            notification_id: state.notification_id,
          })
          return []
        }
        const open = state.deliveries.flatMap(({ summary }, index) => (summary === undefined ? [index] : []))
        const jobs = open.flatMap((index) => Job.of(state, index) ?? [])
        const [first, ...more] = jobs
        if (first === undefined) return yield* notifications.end(state.notification_id)
        if (more.length === 0) return state === planned ? yield* tryNow(first) : [WorkKinds.delivery(first)]
        if (state.notification_type === "push" || jobs.length <= batch) return messagesOf(jobs)
        const starts = Array.from({ length: Math.ceil(state.deliveries.length / batch) }, (_, at) => at * batch)
        return starts.map((from) =>
          enqueue(WorkKinds.fanOut, `${from}`, {
            notification_id: state.notification_id,
            from,
          } satisfies typeof Batch.Type),
        )
      }),
      failed: (event, error, failed_at) => [
        emit("notification.failed", {
          user_id: event.payload.user_id,
          notification_id: notificationIdOf(event),
          notification_type: event.payload.notification_type,
          error,
          failed_at,
          deliveries: [],
        } satisfies PayloadOf<"notification.failed">),
      ],
    })

    const fanOut = onWork(WorkKinds.fanOut, Batch, {
      concurrency: 4,
      handle: ({ from, notification_id }) =>
        Effect.map(notifications.get(notification_id), (found) => {
          if (Option.isNone(found)) return []
          const { value } = found
          return messagesOf(
            value.deliveries
              .slice(from, from + batch)
              .flatMap((_, at) => Job.of(value, from + at) ?? [])
              .filter(isOpen),
          )
        }),
      failed: () => [],
    })

    const singles = Channel.literals.map((channel) =>
      onWork(WorkKinds.deliveries(channel), Assigned, {
        concurrency,
        tried: ({ tried = 0 }) => tried,
        handle: deliveries.deliver,
        failed: (assigned, { code, message }, at) => [
          enqueue(WorkKinds.settle, `${assigned.index}.${at}`, {
            ...assigned,
            code,
            message,
          } satisfies typeof Abandoned.Type),
        ],
      }),
    )

    const volleys = WorkKinds.volleyChannels.map((channel) =>
      onWork(WorkKinds.volleys(channel), Volleys.Aimed, {
        concurrency: volleysAtOnce,
        handle: salvos.fire,
        // What could not be done for all of them is tried for each.
        failed: ({ indexes, notification_id }) =>
          indexes.map((index) =>
            enqueue(WorkKinds.deliveries(channel), `${notification_id}.${index}`, {
              notification_id,
              index,
            } satisfies typeof Assigned.Type),
          ),
      }),
    )

    const settle = onWork(WorkKinds.settle, Abandoned, {
      concurrency: 16,
      handle: ({ code, message, ...assigned }) => deliveries.giveUp(assigned, { code, message }),
      failed: () => [],
    })

    const report = onWork(WorkKinds.report, Report, { concurrency: 16, handle: reports.handle, failed: () => [] })

    // A message of a worker that died comes again when its claim has run out, and not before.
    const { lease: ackWait } = yield* Worker.WorkerTimes
    const handlers = [request, fanOut, ...singles, ...volleys, settle, report]
    yield* Worker.run(
      "notify",
      handlers.map((handler) => ({ ...handler, ackWait })),
    )
  }),
)

const isOpen = ({ planned }: Job.Job): boolean => planned.summary === undefined

const chunksOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size))

/**
 * Needs the ports, `Routes`, `Suppressions`, `Templates` and `Unsubscribe`. `Reports` stays visible for the webhooks.
 */
export const layer = layerNoDeps.pipe(
  Layer.provide([Deliveries.layer, Volleys.Volleys.layer]),
  Layer.provide(RouteGuards.layer),
  Layer.provideMerge(Reports.layer),
  Layer.provide(Notifications.layer),
)
