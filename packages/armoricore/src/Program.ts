/**
 * The running program: ports, listener, services, in this order. Stopping goes the other way round: not ready any more,
 * workers drained (their last results still reach the sockets), sockets closed, listener closed, ports closed.
 */
import { Events, Media, NotFound, Notifications, Transcripts, Uploads } from "@armoricore/api"
import * as Revocations from "@armoricore/auth/Revocations"
import { EventBus } from "@armoricore/bus/EventBus"
import { Cluster } from "@armoricore/realtime/cluster/Cluster"
import { Endpoint } from "@armoricore/realtime/Endpoint"
import { KeyValue } from "@armoricore/state/KeyValue"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { ledgerBucket } from "@armoricore/worker/Ledger"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Duration, Effect, Layer, Schedule } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerRequest } from "effect/http"
import type { IpNetwork } from "effect/net"
import * as Access from "./Access.ts"
import * as Adapters from "./Adapters.ts"
import { CommandFailed } from "./Failure.ts"
import * as Health from "./Health.ts"
import * as Notify from "./Notify.ts"
import * as Operator from "./Operator.ts"
import { type Check, Readiness } from "./Readiness.ts"
import * as Server from "./Server.ts"
import * as Services from "./Services.ts"
import { Settings } from "./Settings.ts"
import { setupFor } from "./Setup.ts"
import * as Sockets from "./Sockets.ts"
import * as ProcessMetrics from "./telemetry/ProcessMetrics.ts"
import * as TracedBus from "./telemetry/TracedBus.ts"
import * as TracedStorage from "./telemetry/TracedStorage.ts"
import { WorkerLink } from "./workers/WorkerLink.ts"
import * as WorkerPool from "./workers/WorkerPool.ts"

/** Where spans are collected, every message and every object has its own. */
const traced = Layer.merge(TracedBus.layer, TracedStorage.layer)

const portsOf = (role: Adapters.Role) =>
  Access.layer.pipe(Layer.provideMerge(traced), Layer.provideMerge(Adapters.layer(role)))
/** What pages beside the API may stand on. */
export type Ports = Layer.Success<ReturnType<typeof portsOf>>

/**
 * Runs these services until the scope closes. Returns once everything serves. With several `realtimeWorkers` this process
 * runs all but realtime, and each of that many others realtime alone, on one port.
 *
 * Not traced: what is built here lives on, and would hang every job below a span of the start.
 */
export const serve = Effect.fnUntraced(function* <E, R>(
  chosen: ReadonlySet<Services.ServiceName>,
  pages: Layer.Layer<never, E, R>,
  realtimeWorkers = 1,
) {
  const settings = yield* Settings
  const link = yield* WorkerLink
  if (realtimeWorkers > 1 && !chosen.has("realtime")) {
    return yield* new CommandFailed({
      message: "--realtime-workers is for a process that runs realtime; add it to --services",
    })
  }
  if (chosen.size < Services.names.length && settings.MESSAGE_BUS_URL === undefined) {
    return yield* new CommandFailed({
      message:
        "--services names only some: the embedded bus belongs to one process; set MESSAGE_BUS_URL to split services, or run all of them",
    })
  }
  yield* Layer.build(ProcessMetrics.layer)
  const ports = portsOf(link === undefined ? "owner" : "worker")
  const readiness = yield* Layer.build(Readiness.layer(checks(chosen)).pipe(Layer.provideMerge(ports)))
  const running = Effect.gen(function* () {
    if (link === undefined) return yield* realtimeWorkers > 1 ? runBeside(chosen, realtimeWorkers) : run(chosen, pages)
    const listening = yield* run(new Set(["realtime"]), pages)
    yield* link.listening(listening.port, listening.url, listening.node)
    const stopping = Effect.andThen(link.stopping, (yield* Readiness).enter("draining"))
    yield* Effect.forkScoped(stopping)
    return listening
  })
  return yield* running.pipe(Effect.provideContext(readiness), Effect.provide(NodeHttpServer.layerHttpServices))
})

const run = Effect.fnUntraced(function* <E, R>(
  chosen: ReadonlySet<Services.ServiceName>,
  pages: Layer.Layer<never, E, R>,
) {
  const readiness = yield* Readiness
  // The HTTP API and the sockets heed the same ones.
  const revocations = chosen.has("realtime") ? yield* Layer.build(Revocations.layer) : undefined
  const server = yield* revocations === undefined
    ? Server.make(everywhere)
    : Effect.provideContext(Server.make(Layer.mergeAll(everywhere, yield* api, pages)), revocations)
  const realtime =
    revocations === undefined ? undefined : yield* Effect.provideContext(Layer.build(Sockets.layer), revocations)
  const control = yield* Layer.build(Operator.control(chosen))
  const endpoints =
    realtime === undefined || revocations === undefined
      ? []
      : [
          Context.get(realtime, Endpoint),
          yield* Effect.provideContext(Operator.listeners(realtime), Context.merge(revocations, control)),
        ]
  const listening = yield* server.listen(
    endpoints.map(({ handleUpgrade }) => handleUpgrade),
    endpoints.map(({ handleRequest }) => handleRequest),
  )
  yield* setUp(chosen)
  yield* Effect.provideContext(Layer.build(Services.workers(chosen, realtime)), control)
  yield* readiness.enter("serving")
  yield* Effect.addFinalizer(() => readiness.enter("draining"))
  yield* Effect.logInfo(`serving ${[...chosen].join(", ")} on ${listening.url}`, { port: listening.port })
  return { ...listening, node: realtime === undefined ? "" : Context.get(realtime, Cluster).node }
})

/** The first process of several: the workers have the sockets and the port. */
const runBeside = Effect.fnUntraced(function* (chosen: ReadonlySet<Services.ServiceName>, size: number) {
  const { DRAIN_GRACE, REALTIME_DRAIN_TIME } = yield* Settings
  yield* setUp(chosen)
  const drainTime = Duration.sum(Duration.sum(DRAIN_GRACE, REALTIME_DRAIN_TIME), Duration.seconds(15))
  const { stopping, ...listening } = yield* WorkerPool.start(size, drainTime)
  yield* (yield* PublicUrl).set(listening.url)
  const others = new Set([...chosen].filter((name) => name !== "realtime"))
  const control = yield* Layer.build(Operator.control(others))
  yield* Effect.provideContext(Layer.build(Services.workers(others, undefined)), control)
  yield* Effect.addFinalizer(() => stopping)
  yield* Effect.logInfo(`serving ${[...chosen].join(", ")} on ${listening.url}`, {
    port: listening.port,
    workers: size,
  })
  return listening
})

const setUp = (chosen: ReadonlySet<Services.ServiceName>) =>
  setupFor(chosen).pipe(
    Effect.tapError((error) => Effect.logWarning(`not set up yet: ${error.message}`)),
    Effect.retry({ while: (error) => error._tag === "TransientError", schedule: patience }),
  )

/** Bus, state or storage may come up after us. */
const patience = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")])

/** What every process answers. */
const everywhere = Layer.unwrap(
  Effect.map(Settings, ({ TRUSTED_PROXIES }) =>
    Layer.mergeAll(
      Health.layer,
      Adapters.routes,
      NotFound.layer,
      TRUSTED_PROXIES === undefined ? Layer.empty : behind(TRUSTED_PROXIES),
    ),
  ),
)

/** What trusted proxies say of the client counts, what others say does not. */
const behind = (trustedProxies: ReadonlyArray<IpNetwork.IpNetwork>) =>
  HttpRouter.use((router) => router.addGlobalMiddleware(HttpMiddleware.xForwardedHeaders({ trustedProxies })))

const api = Effect.gen(function* () {
  const settings = yield* Settings
  return Layer.mergeAll(
    Events.layer({
      sources: Services.sourcesOf(settings),
      signingKeys: settings.EVENT_SIGNING_KEYS ?? new Map(),
    }),
    Uploads.layer({
      ...Uploads.defaults,
      bucket: settings.OBJECT_STORAGE_BUCKET,
      maxSize: settings.MEDIA_MAX_BYTES,
    }),
    Media.layer,
    Transcripts.layer({ policy: settings.MEDIA_TOPIC_POLICY }),
    Notifications.layer,
    Notify.routes,
    cors(settings.ALLOWED_ORIGINS ?? []),
  )
})

/** Pages of `ALLOWED_ORIGINS` may call the API; signed URLs have rules of their own. */
const cors = (origins: ReadonlyArray<string>) => {
  if (origins.length === 0) return Layer.empty
  const answer = HttpMiddleware.cors({
    allowedOrigins: origins.includes("*") ? () => true : (origin) => origins.includes(origin),
    allowedMethods: ["GET", "POST", "DELETE"],
    allowedHeaders: ["authorization", "content-type", "traceparent"],
    maxAge: 86_400,
  })
  return HttpRouter.use((router) =>
    router.addGlobalMiddleware((others) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        request.url.startsWith("/v1/") ? answer(others) : others,
      ),
    ),
  )
}

const checks = (chosen: ReadonlySet<Services.ServiceName>) =>
  Effect.gen(function* () {
    const { OBJECT_STORAGE_BUCKET: bucket } = yield* Settings
    const bus = yield* EventBus
    const state = yield* KeyValue
    const storage = yield* ObjectStorage
    // Realtime that lost the bus still has its sockets and serves what it can; a worker can do nothing.
    const needed = [...chosen].some((service) => service !== "realtime")
    const found: ReadonlyArray<Check> = [
      {
        name: "bus",
        needed,
        run: Effect.flatMap(bus.status, (status) =>
          status === "connected" ? Effect.void : Effect.fail("not connected"),
        ),
      },
      // Every service may read the ledger.
      { name: "state", needed, run: told(state.get(ledgerBucket, "readiness")) },
      {
        name: "storage",
        needed,
        run: told(storage.head({ bucket, key: "readiness" }).pipe(Effect.catchTag("NotFound", () => Effect.void))),
      },
    ]
    return found
  })

const told = <A>(effect: Effect.Effect<A, { readonly message: string }>) =>
  Effect.asVoid(Effect.mapError(effect, ({ message }) => message))
