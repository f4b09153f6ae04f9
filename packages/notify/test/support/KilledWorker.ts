/**
 * A notify worker in its own process, to be killed by a test. It owns the data folder, publishes the given request,
 * hangs at the given point and reports to its parent process. The engine, the ledger and the providers are real.
 */
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus"
import { EventBus } from "@armoricore/bus/EventBus"
import { event, work } from "@armoricore/bus/Address"
import * as RabbitBus from "@armoricore/bus/rabbitmq/RabbitBus"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as NatsBus from "@armoricore/bus/nats/NatsBus"
import * as NatsConnection from "@armoricore/nats/NatsConnection"
import * as NatsState from "@armoricore/state/nats/NatsState"
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import { audienceMembers, Audiences, audienceSends } from "@armoricore/state/Audiences"
import { erasures, erasingServices } from "@armoricore/state/ErasureStates"
import { deliveryStates, notificationStates, suppressions } from "@armoricore/state/NotificationStates"
import { UserDevices, userDevices } from "@armoricore/state/UserDevices"
import { userInboxes } from "@armoricore/state/UserInbox"
import { userPreferences } from "@armoricore/state/UserPreferences"
import { runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import { scheduledMessages } from "@armoricore/worker/ScheduledWork"
import * as PostgresState from "@armoricore/state/postgres/PostgresState"
import * as EmbeddedState from "@armoricore/state/embedded/EmbeddedState"
import { type Bucket, KeyValue, withoutBatches } from "@armoricore/state/KeyValue"
import { Testing } from "@armoricore/testing"
import { Ledger, ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { WorkerTimeouts } from "@armoricore/worker/Worker"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Duration, Effect, Layer, Metric, Redacted, References } from "effect"
import { Attachments } from "../../src/request/Attachments.ts"
import * as NotifyService from "../../src/NotifyService.ts"
import * as Metrics from "../../src/NotifyMetrics.ts"
import { type Provider, ProviderRegistry } from "../../src/provider/Provider.ts"
import * as Apns from "../../src/providers/push/Apns.ts"
import * as Smtp from "../../src/providers/email/Smtp.ts"
import type { CompiledWorkflow } from "../../src/workflow/WorkflowFiles.ts"
import { WorkflowRegistry } from "../../src/workflow/Workflows.ts"
import { Templates } from "../../src/request/Templates.ts"
import { common, policy, fastTimings } from "./NotifyHarness.ts"

interface Order {
  readonly folder: string
  readonly point: string
  readonly resendUnknownMail: boolean
  /** Instead of the embedded bus and state. */
  readonly nats?: string
  /** Instead of the embedded bus and state: RabbitMQ has no state of its own. */
  readonly rabbit?: { readonly bus: string; readonly state: string }
  readonly workflow?: CompiledWorkflow
  /** Members of the audience `fans`, with the APNs token of each. */
  readonly audience?: Readonly<Record<string, string>>
  readonly publish?: string
  readonly smtp: string
  readonly apns: Omit<Apns.Options, "key"> & { readonly key: string }
}

// The parent process is KillRecovery.test.ts, which writes exactly this type.
const order: Order = JSON.parse(process.env["ORDER"] ?? "")
const report = (message: object) => Effect.sync(() => void process.send?.(message))
const hang = Effect.andThen(report({ at: order.point }), Effect.never)

const holdAtPoint = (route: Provider): Provider => ({
  ...route,
  send: (message) =>
    order.point === "before"
      ? hang
      : order.point === "after"
        ? Effect.andThen(route.send(message), hang)
        : route.send(message),
})

const routes = Layer.effect(
  ProviderRegistry,
  Effect.map(ProviderRegistry, (all) => ({ ...all, register: (route: Provider) => all.register(holdAtPoint(route)) })),
).pipe(Layer.provide(ProviderRegistry.layer()))

const isSent = (value: string) => value.includes('"status":"sent"')

/**
 * Reports the number of recorded outcomes of a push batch or of a chunk. At the point `recorded`, it hangs after the write of a
 * delivery's result: for an e-mail in its own document, before that of its notification.
 */
const watchedState = Layer.effect(
  KeyValue,
  Effect.map(KeyValue, (state) => ({
    ...withoutBatches(state),
    // `wait-2`: the wait of a workflow's run at position 2 is stored. The process goes on.
    put: (...[where, key, value, options]: Parameters<KeyValue["Service"]["put"]>) =>
      Effect.tap(state.put(where, key, value, options), () =>
        where.name === scheduledMessages.bucket.name &&
        value.includes(`\\"position\\":${order.point.replace("wait-", "")}}`)
          ? report({ at: order.point })
          : Effect.void,
      ),
    update: (where: Bucket, key: string, value: string, ...more: [number]) => {
      // `before-2`, `after-2`: around the write that moves a workflow's run to position 2.
      const [side, position] = order.point.split("-")
      if (where.name === workflowRuns.bucket.name && value.includes(`"position":${position},`))
        return side === "before" ? hang : Effect.andThen(state.update(where, key, value, ...more), hang)
      if (order.point === "recorded" && isSent(value) && !key.includes(".batch."))
        return Effect.andThen(state.update(where, key, value, ...more), hang)
      const isChunk = where.name === audienceChunks.bucket.name
      const recorded = isChunk ? '"e":' : key.includes(".batch.") ? '"index"' : undefined
      const recordedCount = recorded === undefined ? 0 : value.split(recorded).length - 1
      return Effect.tap(state.update(where, key, value, ...more), () =>
        recordedCount > 0 ? report({ recordedCount }) : Effect.void,
      )
    },
  })),
)

const ports = Ledger.layer.pipe(
  Layer.provideMerge(watchedState),
  Layer.provideMerge(
    order.rabbit !== undefined
      ? Layer.merge(
          RabbitBus.layer({ servers: [order.rabbit.bus] }),
          PostgresState.layer({ url: Redacted.make(order.rabbit.state) }),
        )
      : order.nats === undefined
        ? Layer.merge(EmbeddedBus.layer, EmbeddedState.layer).pipe(
            Layer.provide(EmbeddedEngine.layerOwner({ folder: order.folder })),
          )
        : Layer.merge(NatsBus.layer(), NatsState.layer()).pipe(
            Layer.provide(NatsConnection.layer({ servers: [order.nats] })),
          ),
  ),
)

const service = NotifyService.layer.pipe(
  Layer.provide(
    Layer.merge(
      Apns.layer({ ...order.apns, key: Redacted.make(order.apns.key) }),
      Smtp.layer({ url: Redacted.make(order.smtp), from: "no-reply@example.com" }),
    ),
  ),
  Layer.provide(routes),
  Layer.provide([
    Templates.layer(),
    Attachments.layer({ buckets: [] }).pipe(Layer.provide(Testing.layer)),
    common,
    fastTimings,
    Layer.succeed(
      WorkflowRegistry,
      new Map(order.workflow === undefined ? [] : [[order.workflow.name, order.workflow] as const]),
    ),
    policy({ callTimeout: Duration.seconds(4), resendUnknownMail: order.resendUnknownMail }),
    Layer.succeed(WorkerTimeouts, {
      leaseDuration: Duration.seconds(1),
      drainTimeout: Duration.millis(10),
      misconfigurationDelay: Duration.seconds(1),
    }),
  ]),
)

const counterValue = (metric: Metric.Counter<number>, channel: string) =>
  Effect.map(Metric.value(Metric.withAttributes(metric, { channel })), ({ count }) => count)

/** As `armoricore setup`: a server creates nothing by itself. */
const setup = Effect.gen(function* () {
  const sources = [
    ...NotifyService.consumedEventTypes.map((type) => event(type)),
    ...NotifyService.workKinds.map((kind) => work("notify", kind)),
  ]
  yield* (yield* EventBus).setup(sources.map((from) => ({ name: ConsumerName.of("notify", from), from })))
  yield* (yield* KeyValue).setup(
    [
      { bucket: ledgerBucket },
      erasures,
      erasingServices,
      notificationStates,
      deliveryStates,
      suppressions,
      scheduledMessages,
      workflowRuns,
      runListings,
      audienceSends,
      audienceChunks,
      audienceMembers,
      userDevices,
      userPreferences,
      userInboxes,
    ].map(({ bucket }) => bucket),
  )
})

const fill = Effect.fnUntraced(
  function* (tokens: Readonly<Record<string, string>>) {
    const devices = yield* UserDevices
    yield* (yield* Audiences).add("fans", Object.keys(tokens))
    for (const [id, token] of Object.entries(tokens))
      yield* devices.register(id, { device_id: "d", platform: "ios", token })
  },
  Effect.provide(Layer.merge(UserDevices.layer, Audiences.layer)),
)

const program = Effect.gen(function* () {
  const bus = yield* EventBus
  if (order.nats !== undefined || order.rabbit !== undefined) yield* setup
  yield* bus.subscribe("all-events", ({ body }) => {
    const result: { readonly event_type: string; readonly payload: object } = JSON.parse(new TextDecoder().decode(body))
    if (!/^notification\.(sent|failed)$/.test(result.event_type)) return
    void Effect.runPromise(
      Effect.gen(function* () {
        const unknown = {
          email: yield* counterValue(Metrics.unknownOutcomes, "email"),
          apns: yield* counterValue(Metrics.unknownOutcomes, "apns"),
        }
        yield* report({ result, unknown })
      }),
    )
  })
  if (order.audience !== undefined) yield* fill(order.audience)
  if (order.publish !== undefined) {
    const body = new TextEncoder().encode(order.publish)
    yield* bus.publish({ address: event("notification.requested"), id: "the one", body })
  }
  yield* Effect.andThen(Layer.build(service), Effect.never)
})

NodeRuntime.runMain(
  program.pipe(
    Effect.scoped,
    Effect.provide(ports),
    Effect.provide(NodeServices.layer),
    Effect.provideService(References.MinimumLogLevel, "Error"),
  ),
)
