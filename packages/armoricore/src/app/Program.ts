/** The running program: starts ports, listener and services, in this order. `StopOrder` lists how they stop. */
import * as Backoff from "@armoricore/domain/Backoff"
import { ApiRoutes, NotFoundRoute, UploadHandlers } from "@armoricore/api"
import * as Revocations from "@armoricore/auth/Revocations"
import { EventBus } from "@armoricore/bus/EventBus"
import { Cluster } from "@armoricore/realtime/cluster/Cluster"
import { Endpoint } from "@armoricore/realtime/socket/Endpoint"
import { KeyValue } from "@armoricore/state/KeyValue"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Duration, Effect, Layer } from "effect"
import { HttpMiddleware, HttpRouter } from "effect/http"
import type { IpNetwork } from "effect/net"
import * as Adapters from "../wiring/Adapters.ts"
import { CommandFailed } from "./CommandErrors.ts"
import * as Notify from "../wiring/Notify.ts"
import * as Operator from "../wiring/Operator.ts"
import * as PublishFailures from "./PublishFailures.ts"
import { healthRoutes, type ReadinessCheck, Readiness } from "./Readiness.ts"
import * as Server from "./Server.ts"
import * as Services from "./Services.ts"
import * as StopOrder from "./StopOrder.ts"
import { Settings } from "../settings/Settings.ts"
import { setupFor } from "./Setup.ts"
import * as Realtime from "../wiring/Realtime.ts"
import * as ProcessMetrics from "../telemetry/ProcessMetrics.ts"
import * as TracedBus from "../telemetry/TracedBus.ts"
import * as TracedStorage from "../telemetry/TracedStorage.ts"
import { ClusterWorker } from "../workers/ClusterWorker.ts"
import * as WorkerPool from "../workers/WorkerPool.ts"

/** Adds spans for messages and object storage, if a collector is configured. */
const traced = Layer.merge(TracedBus.layer.pipe(Layer.provideMerge(PublishFailures.layer)), TracedStorage.layer)

const portsFor = (role: Adapters.ProcessRole) =>
  Adapters.tokens.pipe(Layer.provideMerge(traced), Layer.provideMerge(Adapters.layer(role)))
/** The services that additional pages may use. */
export type Ports = Layer.Success<ReturnType<typeof portsFor>>

/**
 * Runs these services until the scope closes; returns once all of them serve. If `realtimeWorkers` is above 1, that many
 * child processes run realtime on one port, and this process runs the other services.
 *
 * Untraced: the services outlive this function, and a span would become the parent of every job.
 */
export const serve = Effect.fnUntraced(function* <E, R>(
  services: ReadonlySet<Services.ServiceName>,
  pages: Layer.Layer<never, E, R>,
  realtimeWorkers = 1,
) {
  const settings = yield* Settings
  const { primary } = yield* ClusterWorker
  if (realtimeWorkers > 1 && !services.has("realtime")) {
    return yield* new CommandFailed({
      message: "--realtime-workers needs the realtime service; add it to --services",
    })
  }
  if (services.size < Services.serviceNames.length && settings.MESSAGE_BUS_URL === undefined) {
    return yield* new CommandFailed({
      message:
        "--services with the embedded bus must list all services, because the bus belongs to one process; set MESSAGE_BUS_URL to split services over processes",
    })
  }
  yield* Layer.build(ProcessMetrics.layer)
  const ports = portsFor(primary === undefined ? "owner" : "worker")
  const order = yield* StopOrder.make
  const readiness = yield* order.build(
    "ports",
    Readiness.layer(readinessChecks(services)).pipe(Layer.provideMerge(ports)),
  )
  const running = Effect.gen(function* () {
    if (primary === undefined)
      return yield* realtimeWorkers > 1 ? runPrimary(order, services, realtimeWorkers) : run(order, services, pages)
    const listening = yield* run(order, new Set(["realtime"]), pages)
    yield* primary.reportListening(listening.port, listening.url, listening.node)
    const stopping = Effect.andThen(primary.stopAccepting, (yield* Readiness).setPhase("draining"))
    yield* Effect.forkScoped(stopping)
    return listening
  })
  return yield* running.pipe(Effect.provideContext(readiness), Effect.provide(NodeHttpServer.layerHttpServices))
})

const run = Effect.fnUntraced(function* <E, R>(
  order: StopOrder.StopOrder,
  services: ReadonlySet<Services.ServiceName>,
  pages: Layer.Layer<never, E, R>,
) {
  const readiness = yield* Readiness
  // The HTTP API and the sockets share one list of revoked tokens.
  const revocations = services.has("realtime") ? yield* order.build("ports", Revocations.layer) : undefined
  const realtime =
    revocations === undefined
      ? undefined
      : yield* Effect.provideContext(order.build("sockets", Realtime.layer), revocations)
  const server = yield* order.within("listener")(
    revocations === undefined || realtime === undefined
      ? Server.make(commonRoutes)
      : Effect.provideContext(
          Server.make(Layer.mergeAll(commonRoutes, yield* api, pages)),
          Context.merge(revocations, realtime),
        ),
  )
  const control = yield* order.build("control", Operator.nodeControl(services))
  const endpoints =
    realtime === undefined || revocations === undefined
      ? []
      : [
          Context.get(realtime, Endpoint),
          yield* Operator.listeners(realtime).pipe(
            Effect.provideContext(Context.merge(revocations, control)),
            Effect.provide(Services.workSchemas),
            order.within("operator"),
          ),
        ]
  const listening = yield* server
    .listen(
      endpoints.map(({ handleUpgrade }) => handleUpgrade),
      endpoints.map(({ handleRequest }) => handleRequest),
    )
    .pipe(order.within("listener"))
  yield* setUpWithRetry(services)
  yield* Effect.provideContext(order.build("workers", Services.workers(services, realtime)), control)
  yield* readiness.setPhase("serving")
  yield* order.within("readiness")(Effect.addFinalizer(() => readiness.setPhase("draining")))
  yield* Effect.logInfo(`serving ${[...services].join(", ")} on ${listening.url}`, { port: listening.port })
  return { ...listening, node: realtime === undefined ? "" : Context.get(realtime, Cluster).node }
})

/** The primary process: its workers own the sockets and the port. */
const runPrimary = Effect.fnUntraced(function* (
  order: StopOrder.StopOrder,
  services: ReadonlySet<Services.ServiceName>,
  size: number,
) {
  const { DRAIN_TIMEOUT, REALTIME_DRAIN_TIMEOUT } = yield* Settings
  yield* setUpWithRetry(services)
  const drainTime = Duration.sum(Duration.sum(DRAIN_TIMEOUT, REALTIME_DRAIN_TIMEOUT), Duration.seconds(15))
  const { stopAccepting, ...listening } = yield* order.within("pool")(WorkerPool.start(size, drainTime))
  yield* (yield* PublicUrl).set(listening.url)
  const others = new Set([...services].filter((name) => name !== "realtime"))
  const control = yield* order.build("control", Operator.nodeControl(others))
  yield* Effect.provideContext(order.build("workers", Services.workers(others, undefined)), control)
  yield* order.within("readiness")(Effect.addFinalizer(() => stopAccepting))
  yield* Effect.logInfo(`serving ${[...services].join(", ")} on ${listening.url}`, {
    port: listening.port,
    workers: size,
  })
  return listening
})

const setUpWithRetry = (services: ReadonlySet<Services.ServiceName>) =>
  setupFor(services).pipe(
    Effect.tapError((error) =>
      Effect.logWarning(`cannot set up streams, buckets and tables yet; retrying: ${error.message}`),
    ),
    Effect.retry({ while: (error) => error._tag === "TransientError", schedule: startupRetrySchedule }),
  )

/** Bus, state or storage may start after this program. */
const startupRetrySchedule = Backoff.capped("250 millis", "5 seconds")

/** Routes of every process. */
const commonRoutes = Layer.unwrap(
  Effect.map(Settings, ({ TRUSTED_PROXIES }) =>
    Layer.mergeAll(
      healthRoutes,
      Adapters.routes,
      NotFoundRoute.layer,
      TRUSTED_PROXIES === undefined ? Layer.empty : trustForwardedHeaders(TRUSTED_PROXIES),
    ),
  ),
)

/** Applies forwarded headers, but only from trusted proxies. */
const trustForwardedHeaders = (trustedProxies: ReadonlyArray<IpNetwork.IpNetwork>) =>
  HttpRouter.use((router) => router.addGlobalMiddleware(HttpMiddleware.xForwardedHeaders({ trustedProxies })))

const api = Effect.gen(function* () {
  const settings = yield* Settings
  const uploadTokens = yield* Adapters.uploadTokens
  return Layer.mergeAll(
    ApiRoutes.layer({
      events: {
        sources: Services.eventSources(settings),
        signingKeys: settings.EVENT_SIGNING_KEYS ?? new Map(),
        uploadTokens,
      },
      uploads: {
        ...UploadHandlers.defaults,
        tokenKey: uploadTokens.key,
        bucket: settings.OBJECT_STORAGE_BUCKET,
        maxSize: settings.MEDIA_MAX_BYTES,
      },
      resumable: {
        expiresIn: settings.MEDIA_UPLOAD_EXPIRY,
        ...(settings.PUBLIC_URL === undefined ? {} : { publicUrl: settings.PUBLIC_URL.replace(/\/+$/, "") }),
      },
      transcripts: { policy: settings.MEDIA_TOPIC_POLICY },
      origins: settings.ALLOWED_ORIGINS ?? [],
    }),
    Notify.routes,
  )
})

const readinessChecks = (services: ReadonlySet<Services.ServiceName>) =>
  Effect.gen(function* () {
    const { OBJECT_STORAGE_BUCKET: bucket } = yield* Settings
    const bus = yield* EventBus
    const publishFailures = yield* PublishFailures.PublishFailures
    const state = yield* KeyValue
    const storage = yield* ObjectStorage
    // Without the bus, realtime can still serve its sockets; workers cannot do anything.
    const required = [...services].some((service) => service !== "realtime")
    const checks: ReadonlyArray<ReadinessCheck> = [
      {
        name: "bus",
        required,
        run: Effect.gen(function* () {
          if ((yield* bus.status) !== "connected") return yield* Effect.fail("not connected")
          const full = yield* publishFailures.full
          if (full !== undefined) return yield* Effect.fail(full)
        }),
      },
      // Every service has the permission to read the ledger bucket.
      { name: "state", required, run: failWithMessage(state.get(ledgerBucket, "readiness")) },
      {
        name: "storage",
        required,
        run: failWithMessage(
          storage.head({ bucket, key: "readiness" }).pipe(Effect.catchTag("NotFound", () => Effect.void)),
        ),
      },
    ]
    return checks
  })

const failWithMessage = <A>(effect: Effect.Effect<A, { readonly message: string }>) =>
  Effect.asVoid(Effect.mapError(effect, ({ message }) => message))
