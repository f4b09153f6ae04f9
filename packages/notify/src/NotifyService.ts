/**
 * The notify service: turns `notification.requested` into one delivery per target. It publishes `notification.sent` or
 * `.failed`, `device.token_invalid`, and later `notification.delivered` or `.bounced`. The Layer runs the service until
 * it is closed, and drains it then.
 *
 * - The handler of `notification.requested` creates the state document and enqueues the deliveries.
 * - Each channel has its own work queue, so that a slow provider delays only its own deliveries.
 * - The handler of `settle` records deliveries that the worker loop gave up; that of `report` records webhook reports.
 */
import { NotificationCommand, notificationCommandKind } from "@armoricore/domain/NotificationCommand"
import { NotificationChannel, type NotificationState } from "@armoricore/domain/NotificationState"
import type { EventOf, EventType, PayloadOf } from "@armoricore/domain/EventRegistry"
import * as Erasure from "@armoricore/worker/erasure/Erasure"
import { type HandlerError, on, onWork } from "@armoricore/worker/Handler"
import { emit, enqueue, type ResultMessage } from "@armoricore/worker/ResultMessage"
import { Audiences } from "@armoricore/state/Audiences"
import { UserDevices } from "@armoricore/state/UserDevices"
import * as Timestamp from "@armoricore/domain/Timestamp"
import * as ScheduledWork from "@armoricore/worker/ScheduledWork"
import * as Worker from "@armoricore/worker/Worker"
import type * as WorkSchemas from "@armoricore/worker/WorkSchemas"
import { Clock, Effect, Layer, Option, Schema } from "effect"
import { Deliveries } from "./delivery/Deliveries.ts"
import { DeliveryPolicy } from "./delivery/DeliveryPolicy.ts"
import * as NotifyErasure from "./erasure/NotifyErasure.ts"
import * as PlannedDelivery from "./delivery/PlannedDelivery.ts"
import { Notifications } from "./request/Notifications.ts"
import * as InlineAttemptLimiter from "./delivery/InlineAttemptLimiter.ts"
import { notificationIdOf } from "@armoricore/domain/events/notification"
import * as NotificationPlan from "./request/NotificationPlan.ts"
import * as Schedules from "./request/Schedules.ts"
import { PreferenceRules } from "./preferences/PreferenceRules.ts"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { DeliveryReport, DeliveryReports } from "./delivery/DeliveryReports.ts"
import { ProviderCircuits } from "./provider/ProviderCircuits.ts"
import * as LonePushLane from "./batch/LonePushLane.ts"
import * as PushBatches from "./batch/PushBatches.ts"
import * as RefusalReversal from "./delivery/RefusalReversal.ts"
import * as AudienceSends from "./audience/AudienceSends.ts"
import * as OrdinaryMembers from "./audience/OrdinaryMembers.ts"
import { Templates } from "./request/Templates.ts"
import { UnreadBadge } from "./request/UnreadBadge.ts"
import * as Workflows from "./workflow/Workflows.ts"
import * as WorkKinds from "./WorkKinds.ts"

/** Deliveries that one message enqueues. All of them must fit into one ledger document. */
const fanOutBatchSize = 100
/** Batches of a channel share its concurrent calls. While one waits for its last responses, the next starts. */
const maxConcurrentBatches = 4

const DeliveryRequest = Schema.Struct({
  notification_id: Schema.String,
  index: Schema.Int,
  /** Failed attempts before this message. */
  prior_attempts: Schema.optionalKey(Schema.Int),
})
const FanOutRequest = Schema.Struct({ notification_id: Schema.String, from: Schema.Int })
const FailedDelivery = Schema.Struct({ ...DeliveryRequest.fields, code: Schema.String, message: Schema.String })

/** The event types that the service reads. */
export const consumedEventTypes: ReadonlyArray<EventType> = [
  "notification.requested",
  "notification.cancelled",
  "user.erase_requested",
]

/** Every kind of internal work; `armoricore setup` creates a queue for each. */
export const workKinds = WorkKinds.all

/** Concurrent requests: planning, attempting a delivery inline, or waiting for that. */
const maxConcurrentRequests = 256
/**
 * Concurrent inline attempts per channel at a fast provider; at a slow one up to `DeliveryPolicy.concurrency`. More
 * deliveries get their own work message.
 */
const inlineAttempts = 48
/** A delivery that would wait longer for its inline attempt gets its own work message. */
const maxInlineWaitMillis = 250

/** The payloads of {@link workKinds}, for the check of edited dead letters. */
export const workSchemas: WorkSchemas.KindSchemas = {
  [WorkKinds.fanOut]: FanOutRequest,
  [WorkKinds.recordFailure]: FailedDelivery,
  [WorkKinds.report]: DeliveryReport,
  [WorkKinds.release]: Schedules.ReleaseRequest,
  [WorkKinds.workflowStep]: Workflows.StepRequest,
  [WorkKinds.audienceChunk]: OrdinaryMembers.MembersRequest,
  [WorkKinds.audienceMembers]: AudienceSends.ChunkRequest,
  [notificationCommandKind]: NotificationCommand,
  ...Object.fromEntries(
    NotificationChannel.literals.map((channel) => [WorkKinds.deliveries(channel), DeliveryRequest]),
  ),
  ...Object.fromEntries(
    WorkKinds.batchedChannels.map((channel) => [WorkKinds.pushBatches(channel), PushBatches.BatchRequest]),
  ),
}

/** Services that the planning of a notification reads. */
type PlanServices = Templates | PreferenceRules | UserDevices | UserPreferences | UnreadBadge

/** The handlers without the services that they use. */
export const layerNoDeps = Layer.effectDiscard(
  Effect.gen(function* () {
    const deliveries = yield* Deliveries
    const pushBatches = yield* PushBatches.PushBatches
    const notifications = yield* Notifications
    const reports = yield* DeliveryReports
    const scheduled = yield* ScheduledWork.make("notify")
    const { concurrency } = yield* DeliveryPolicy
    const circuits = yield* ProviderCircuits

    const limiters = new Map(
      NotificationChannel.literals.map((channel) => {
        const [first] = circuits.forChannel(channel)
        // Twice the concurrency of the provider: during a call, the next delivery is prepared.
        const maxConcurrent = Math.min(concurrency, 2 * (first?.provider.maxConcurrent ?? concurrency))
        const minConcurrent = Math.min(inlineAttempts, maxConcurrent)
        return [
          channel,
          InlineAttemptLimiter.make({ minConcurrent, maxConcurrent, maxWaitMillis: maxInlineWaitMillis }),
        ] as const
      }),
    )
    const runInline = <A, E>(channel: NotificationChannel, work: Effect.Effect<A, E>) =>
      limiters.get(channel)?.run(work) ?? Effect.succeed(undefined)

    /** Attempts a single delivery without a work message; enqueues one if the delivery is not final after that. */
    const attemptInline = (delivery: PlannedDelivery.PlannedDelivery): Effect.Effect<ReadonlyArray<ResultMessage>> => {
      return Effect.map(runInline(delivery.channel, deliveries.deliverInline(delivery)), (end) =>
        end?._tag === "Completed" ? end.outcomes : [WorkKinds.delivery(delivery, end?.failedAttempts ?? 0)],
      )
    }

    /** Pushes are sent in batches; e-mails one by one, because an e-mail that was sent twice cannot be replaced. */
    const messagesOf = (pending: ReadonlyArray<PlannedDelivery.PlannedDelivery>): ReadonlyArray<ResultMessage> => {
      return [...Map.groupBy(pending, ({ channel }) => channel)].flatMap(([channel, ofChannel]) => {
        if (!WorkKinds.batchedChannels.includes(channel))
          return ofChannel.map((delivery) => WorkKinds.delivery(delivery))
        return chunksOf(ofChannel, PushBatches.maxBatchSize).map((batch) => WorkKinds.pushBatch(channel, batch))
      })
    }

    const pendingOf = (state: NotificationState) =>
      state.deliveries.flatMap(({ summary }, index) =>
        summary === undefined ? (PlannedDelivery.of(state, index) ?? []) : [],
      )

    /** The messages that send the open deliveries. */
    const start = (state: NotificationState): ReadonlyArray<ResultMessage> => {
      const pending = pendingOf(state)
      if (state.notification_type === "push" || pending.length <= fanOutBatchSize) return messagesOf(pending)
      const starts = Array.from(
        { length: Math.ceil(state.deliveries.length / fanOutBatchSize) },
        (_, at) => at * fanOutBatchSize,
      )
      return starts.map((from) =>
        enqueue(WorkKinds.fanOut, `${from}`, {
          notification_id: state.notification_id,
          from,
        } satisfies typeof FanOutRequest.Type),
      )
    }

    const schedules = yield* Schedules.make(start)

    const request = Effect.fnUntraced(function* (
      event: EventOf<"notification.requested">,
      bytes: number,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError, PlanServices> {
      const planned = yield* NotificationPlan.make(event, bytes)
      const isDue = (state: NotificationState) =>
        Effect.map(Clock.currentTimeMillis, (now) => state.send_at === undefined || state.send_at <= now)
      const lone = (yield* isDue(planned)) ? lonePushOf(planned) : undefined
      const sent = lone === undefined ? undefined : yield* runInline(lone.channel, pushBatches.sendLone(lone))
      if (sent !== undefined) return sent
      const state = yield* notifications.create(planned)
      yield* notifications.alias(event.event_id, state.notification_id)
      if (state.source_event_id !== event.event_id) {
        yield* Effect.logInfo("a notification was requested again with the same idempotency key", {
          notification_id: state.notification_id,
        })
        return []
      }
      const [first, ...more] = pendingOf(state)
      if (first === undefined) return yield* notifications.finalize(state.notification_id)
      if (state.send_at !== undefined && !(yield* isDue(state))) {
        yield* schedules.schedule(state, state.send_at)
        return []
      }
      if (more.length === 0)
        return state === planned && lone === undefined
          ? yield* attemptInline(first)
          : yield* pushBatches.resumeLone(first)
      return start(state)
    })
    const context = yield* Effect.context<PlanServices>()
    const workflows = yield* Workflows.make({
      request: (event, bytes) => Effect.provideContext(request(event, bytes), context),
      cancelNotification: schedules.cancelLater,
    })
    /** Handles a request to one user. */
    const requestOrRun = (event: EventOf<"notification.requested">, bytes: number) =>
      event.payload.workflow === undefined
        ? Effect.provideContext(request(event, bytes), context)
        : workflows.start(event)
    const audienceSends = yield* AudienceSends.make(requestOrRun)
    const reversal = yield* RefusalReversal.make(audienceSends.adoptRefused)

    const requestHandler = on("notification.requested", {
      concurrency: maxConcurrentRequests,
      lane: yield* LonePushLane.make(limiters),
      // The creation of the notification is the claim.
      claimsItself: true,
      handle: (event, { message }) =>
        event.payload.audience === undefined
          ? requestOrRun(event, message.body.byteLength)
          : audienceSends.start(event),
      onFailure: (event, error, failed_at) => [
        emit("notification.failed", {
          user_id: event.payload.user_id,
          notification_id: notificationIdOf(event),
          notification_type: event.payload.notification_type ?? "in_app",
          error,
          failed_at,
          deliveries: [],
        } satisfies PayloadOf<"notification.failed">),
      ],
    })

    const fanOutHandler = onWork(WorkKinds.fanOut, FanOutRequest, {
      concurrency: 4,
      handle: ({ from, notification_id }) =>
        Effect.map(notifications.get(notification_id), (stored) => {
          if (Option.isNone(stored)) return []
          const notification = stored.value
          return messagesOf(
            notification.deliveries
              .slice(from, from + fanOutBatchSize)
              .flatMap((_, offset) => PlannedDelivery.of(notification, from + offset) ?? [])
              .filter(isPending),
          )
        }),
      onFailure: () => [],
    })

    const deliveryHandlers = NotificationChannel.literals.map((channel) =>
      onWork(WorkKinds.deliveries(channel), DeliveryRequest, {
        concurrency,
        priorAttempts: ({ prior_attempts = 0 }) => prior_attempts,
        handle: deliveries.deliver,
        onFailure: (request, { code, message }, at) => [
          enqueue(WorkKinds.recordFailure, `${request.index}.${at}`, {
            ...request,
            code,
            message,
          } satisfies typeof FailedDelivery.Type),
        ],
      }),
    )

    const batchHandlers = WorkKinds.batchedChannels.map((channel) =>
      onWork(WorkKinds.pushBatches(channel), PushBatches.BatchRequest, {
        concurrency: maxConcurrentBatches,
        handle: pushBatches.send,
        // A batch that failed as a whole continues as single deliveries.
        onFailure: ({ indexes, notification_id }) =>
          indexes.map((index) =>
            enqueue(WorkKinds.deliveries(channel), `${notification_id}.${index}`, {
              notification_id,
              index,
            } satisfies typeof DeliveryRequest.Type),
          ),
      }),
    )

    const failureHandler = onWork(WorkKinds.recordFailure, FailedDelivery, {
      concurrency: 16,
      handle: ({ code, message, ...assigned }) => deliveries.recordFailure(assigned, { code, message }),
      onFailure: () => [],
    })

    const reportHandler = onWork(WorkKinds.report, DeliveryReport, {
      concurrency: 16,
      handle: reports.handle,
      onFailure: () => [],
    })

    const reversalHandler = onWork(WorkKinds.reversal, RefusalReversal.ReversalRequest, {
      concurrency: 4,
      handle: reversal.handle,
      onFailure: () => [],
    })

    /** True: what has this id was found and cancelled. */
    const cancelSend = (id: string) =>
      Effect.flatMap(workflows.cancel(id), (isRun) => (isRun ? Effect.succeed(true) : audienceSends.cancel(id)))

    const commandHandler = onWork(notificationCommandKind, NotificationCommand, {
      concurrency: 4,
      handle: (command, { message }) =>
        Effect.gen(function* () {
          switch (command.action) {
            case "cancel":
              if (!(yield* cancelSend(command.id))) yield* schedules.cancelLater(command.id)
              return []
            case "retry_run":
              if (!(yield* workflows.retry(command.run_id, message.id)))
                yield* Effect.logWarning(`Nothing was retried: there is no failed run ${command.run_id}`)
              return []
            case "send": {
              const event = yield* requestOf(command.request, message.id)
              return yield* requestOrRun(event, message.body.byteLength)
            }
          }
        }),
      onFailure: () => [],
    })

    const cancelHandler = on("notification.cancelled", {
      concurrency: 16,
      handle: (event) =>
        Effect.gen(function* () {
          const { context = {}, user_id, workflow } = event.payload
          if (workflow !== undefined && user_id !== undefined) {
            const until = Timestamp.toMillis(event.timestamp)
            if (yield* workflows.cancelMatching({ workflow, userId: user_id, context, until })) return []
            return yield* schedules.missed(event, `no open run of the workflow ${workflow} for the user ${user_id}`)
          }
          if (yield* cancelSend(Schedules.idOf(event))) return []
          return yield* schedules.cancel(event)
        }),
      onFailure: () => [],
    })

    const releaseHandler = onWork(WorkKinds.release, Schedules.ReleaseRequest, {
      concurrency: 16,
      handle: schedules.release,
      onFailure: () => [],
    })

    const workflowHandler = onWork(WorkKinds.workflowStep, Workflows.StepRequest, {
      concurrency: 32,
      handle: workflows.handle,
      onFailure: ({ position, run_id }, failure, at) => [
        enqueue(WorkKinds.workflowStep, `${run_id}.${position}.failed.${at}`, {
          run_id,
          position,
          failure,
        } satisfies typeof Workflows.StepRequest.Type),
      ],
    })

    const ordinaryMembersHandler = onWork(WorkKinds.audienceChunk, OrdinaryMembers.MembersRequest, {
      concurrency: 4,
      handle: audienceSends.handleOrdinary,
      onFailure: () => [],
    })

    const audienceHandler = onWork(WorkKinds.audienceMembers, AudienceSends.ChunkRequest, {
      concurrency: 4,
      handle: audienceSends.handle,
      onFailure: () => [],
    })

    // After a crash the bus redelivers a message no earlier than its lease expires.
    const { leaseDuration: ackWait } = yield* Worker.WorkerTimeouts
    const handlers = [
      requestHandler,
      fanOutHandler,
      ...deliveryHandlers,
      ...batchHandlers,
      failureHandler,
      reportHandler,
      reversalHandler,
      cancelHandler,
      commandHandler,
      releaseHandler,
      workflowHandler,
      ordinaryMembersHandler,
      audienceHandler,
      yield* Erasure.handler("notify", yield* NotifyErasure.makeStores),
    ]
    yield* Worker.run(
      "notify",
      handlers.map((handler) => ({ ...handler, ackWait })),
    )
    yield* Effect.forkScoped(reversal.run)
    yield* Effect.forkScoped(scheduled.run)
  }),
)

/** The request of an operator as an event. */
const requestOf = (
  payload: PayloadOf<"notification.requested">,
  event_id: string,
): Effect.Effect<EventOf<"notification.requested">> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    event_type: "notification.requested",
    event_id,
    timestamp: new Date(now).toISOString(),
    source: "notify",
    payload,
  }))

/** The only open delivery, if it is a push. */
const lonePushOf = (state: NotificationState): PlannedDelivery.PlannedDelivery | undefined => {
  if (state.notification_type !== "push") return undefined
  const index = state.deliveries.findIndex(({ summary }) => summary === undefined)
  if (index === -1 || state.deliveries.some(({ summary }, at) => at > index && summary === undefined)) return undefined
  return PlannedDelivery.of(state, index)
}

const isPending = ({ planned }: PlannedDelivery.PlannedDelivery): boolean => planned.summary === undefined

const chunksOf = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size))

/**
 * Needs the ports, `ProviderRegistry` with its providers, `Suppressions`, `Templates`, `UnsubscribeLinks` and
 * `Attachments`. Provides `DeliveryReports` for the webhooks.
 */
export const layer = layerNoDeps.pipe(
  Layer.provide([Deliveries.layer, PushBatches.PushBatches.layer]),
  Layer.provide(ProviderCircuits.layer),
  Layer.provideMerge(DeliveryReports.layer),
  Layer.provide([
    Notifications.layer,
    UserDevices.layer,
    Audiences.layer,
    Layer.provideMerge(PreferenceRules.layer, UserPreferences.layer),
    UnreadBadge.layer,
  ]),
)
