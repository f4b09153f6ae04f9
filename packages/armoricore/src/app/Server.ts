/**
 * The HTTP and WebSocket listener of the process.
 *
 * It dispatches upgrades by path. Only the request handler of Effect's HTTP server is used, because that server would
 * also respond to each upgrade with a 404, on a socket that an endpoint has already taken over.
 */
import { routerConfig } from "@armoricore/api/RouterConfig"
import { ConfigurationError } from "@armoricore/domain/Errors"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Duration, Effect, Exit, type Layer, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { createPrivateKey, X509Certificate } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import { readSettingFile, Settings } from "../settings/Settings.ts"
import { ClusterWorker } from "../workers/ClusterWorker.ts"

/** Takes over the connection of an upgrade request. Returns false, without side effects, for another path. */
export type UpgradeHandler = (request: Http.IncomingMessage, socket: Duplex, head: Buffer) => boolean

/** Handles a request in place of the routes. Returns false, without side effects, for another path. */
export type RequestHandler = (request: Http.IncomingMessage, response: Http.ServerResponse) => boolean

export interface ServerAddress {
  readonly port: number
  /** The URL for clients, without a trailing slash. */
  readonly url: string
}

/** A large upload over a slow connection takes hours; a connection without data for two minutes is closed. */
const requestTimeoutMillis = 6 * 3_600_000
const idleSocketTimeoutMillis = 120_000
/** A handler that reads its body answers earlier. This deadline covers every other route, before any authentication. */
const bodyTimeoutMillis = 45_000
/** Uploads to the local object storage. */
const uploadPath = /^\/(?:objects|v1\/uploads\/tus)(?:\/|$)/

/**
 * A server that serves these routes once `listen` is called. When the scope closes, it accepts no new connections and
 * waits for running requests for up to `closeTimeout`. Endpoints must close upgraded connections before that.
 */
export const make = Effect.fnUntraced(function* <A, E, R>(routes: Layer.Layer<A, E, R>) {
  const settings = yield* Settings
  const publicUrl = yield* PublicUrl
  const app = yield* Effect.provideService(HttpRouter.toHttpEffect(routes), HttpRouter.RouterConfig, routerConfig)
  // A separate scope: the server's scope would close running requests first, because they were added last.
  const requests = yield* Scope.make()
  const handler = yield* NodeHttpServer.makeHandler(app, { scope: requests })
  const server = yield* createServer
  server.requestTimeout = requestTimeoutMillis
  server.timeout = idleSocketTimeoutMillis
  const unusedConnections = trackUnusedConnections(server)
  yield* Effect.addFinalizer(() => Effect.ensuring(close(server, unusedConnections), Scope.close(requests, Exit.void)))

  const listen = Effect.fnUntraced(function* (
    upgrades: ReadonlyArray<UpgradeHandler>,
    handles: ReadonlyArray<RequestHandler>,
  ) {
    server.on("request", (request: Http.IncomingMessage, response: Http.ServerResponse) => {
      // Pages have stricter policies of their own, which replace these.
      response.setHeader("x-content-type-options", "nosniff")
      response.setHeader("content-security-policy", "frame-ancestors 'none'")
      if (!uploadPath.test(request.url ?? "")) endSlowBody(request)
      if (!handles.some((handle) => handle(request, response))) handler(request, response)
    })
    server.on("upgrade", (request: Http.IncomingMessage, socket: Duplex, head: Buffer) => {
      if (upgrades.some((upgrade) => upgrade(request, socket, head))) return
      socket.on("error", () => socket.destroy())
      socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    })
    const { primary } = yield* ClusterWorker
    const port = yield* bind(server, primary?.port ?? settings.PORT, settings.HOST)
    const scheme = settings.TLS_CERT === undefined ? "http" : "https"
    const url = settings.PUBLIC_URL ?? `${scheme}://${urlHost(settings.HOST)}:${port}`
    yield* publicUrl.set(url)
    return { port, url } satisfies ServerAddress
  })
  return { listen }
})

/** Closes the connection of a request whose body is not complete in time. */
const endSlowBody = (request: Http.IncomingMessage): void => {
  if (
    request.complete ||
    ((request.headers["content-length"] ?? "0") === "0" && request.headers["transfer-encoding"] === undefined)
  )
    return
  const timer = setTimeout(() => {
    if (!request.complete) request.socket.destroy()
  }, bodyTimeoutMillis)
  timer.unref()
  const clear = () => clearTimeout(timer)
  request.once("end", clear)
  request.once("close", clear)
}

const createServer = Effect.gen(function* () {
  const { SETTINGS_REFRESH_INTERVAL, TLS_CERT, TLS_KEY } = yield* Settings
  if (TLS_CERT === undefined || TLS_KEY === undefined) return Http.createServer()
  const read = Effect.flatMap(
    Effect.all({ cert: readSettingFile("TLS_CERT", TLS_CERT), key: readSettingFile("TLS_KEY", TLS_KEY) }),
    verifyKeyPair,
  )
  const keyPair = yield* read
  const server = yield* Effect.try({ try: () => Https.createServer(keyPair), catch: invalidKeyPair })
  if (Duration.toMillis(SETTINGS_REFRESH_INTERVAL) > 0)
    yield* Effect.forkScoped(reloadCertificate(server, keyPair, read, SETTINGS_REFRESH_INTERVAL))
  return server
})

interface CertificateKeyPair {
  readonly cert: string
  readonly key: string
}

const invalidKeyPair = (cause: unknown) =>
  new ConfigurationError({
    setting: "TLS_CERT",
    message: "TLS_CERT and TLS_KEY are not a PEM certificate and its private key",
    ...(cause === undefined ? {} : { cause }),
  })

/** OpenSSL silently accepts a certificate and a key of different types, and then fails every handshake. */
const verifyKeyPair = (pair: CertificateKeyPair): Effect.Effect<CertificateKeyPair, ConfigurationError> =>
  Effect.flatMap(
    Effect.try({
      try: () => new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key)),
      catch: invalidKeyPair,
    }),
    (isPair) => (isPair ? Effect.succeed(pair) : Effect.fail(invalidKeyPair(undefined))),
  )

/** Reloads the certificate when its files change. Open connections stay on the old one. */
const reloadCertificate = Effect.fnUntraced(function* <R>(
  server: Https.Server,
  initial: CertificateKeyPair,
  read: Effect.Effect<CertificateKeyPair, ConfigurationError, R>,
  interval: Duration.Duration,
) {
  let current = initial
  for (;;) {
    yield* Effect.sleep(interval)
    yield* Effect.gen(function* () {
      const latest = yield* read
      if (latest.cert === current.cert && latest.key === current.key) return
      yield* Effect.try({ try: () => server.setSecureContext(latest), catch: invalidKeyPair })
      current = latest
      yield* Effect.logInfo("reloaded the TLS certificate; new connections use it")
    }).pipe(
      // The two files are replaced one after the other; in between they do not match.
      Effect.catch((error) =>
        Effect.logWarning(`cannot reload the TLS certificate; the old one stays in use: ${error.message}`),
      ),
    )
  }
})

const bind = (server: Http.Server, port: number, host: string): Effect.Effect<number, ConfigurationError> =>
  Effect.callback((resume) => {
    const onError = (cause: NodeJS.ErrnoException) => resume(Effect.fail(bindError(cause, port, host)))
    server.once("error", onError)
    server.listen({ port, host }, () => {
      server.off("error", onError)
      const address: AddressInfo | string | null = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    })
  })

const bindError = (cause: NodeJS.ErrnoException, port: number, host: string): ConfigurationError => {
  const knownErrors: Readonly<Record<string, readonly [setting: string, message: string]>> = {
    EADDRINUSE: [
      "PORT",
      `port ${port} on ${host} is already in use; stop the program that uses it, or set PORT to another port (0 takes any free port)`,
    ],
    EACCES: ["PORT", `this user may not listen on port ${port}; set PORT to 1024 or higher`],
    EADDRNOTAVAIL: [
      "HOST",
      `${host} is not an address of this machine; set HOST to one of its addresses, or to 0.0.0.0 for all`,
    ],
    ENOTFOUND: ["HOST", `the host name ${host} cannot be resolved; set HOST to an address of this machine`],
  }
  const [setting, message] = knownErrors[cause.code ?? ""] ?? [
    "PORT",
    `cannot listen on ${host}:${port}: ${cause.message}`,
  ]
  return new ConfigurationError({ setting, message, cause })
}

/** Connections without a request yet, and when each was opened: browsers and load balancers open some in advance. */
type UnusedConnections = ReadonlyMap<Socket, number>

const trackUnusedConnections = (server: Http.Server): UnusedConnections => {
  const unused = new Map<Socket, number>()
  server.on(server instanceof Https.Server ? "secureConnection" : "connection", (socket: Socket) => {
    unused.set(socket, performance.now())
    socket.once("close", () => unused.delete(socket))
  })
  const onRequest = ({ socket }: Http.IncomingMessage) => void unused.delete(socket)
  server.on("request", onRequest)
  server.on("upgrade", onRequest)
  return unused
}

const closeTimeout = Duration.seconds(5)
const sweepInterval = Duration.millis(50)
/** The first request of a new connection may still be on its way. */
const newConnectionGraceMillis = 1_000

const close = (server: Http.Server, unusedConnections: UnusedConnections): Effect.Effect<void> =>
  server.listening ? closeListening(server, unusedConnections) : Effect.void

const closeListening = (server: Http.Server, unusedConnections: UnusedConnections): Effect.Effect<void> => {
  const closed = Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
  })
  // A keep-alive connection stays open after its request, and Node counts an unused connection as busy.
  const sweep = Effect.sync(() => {
    server.closeIdleConnections()
    for (const [socket, openedAt] of unusedConnections)
      if (performance.now() - openedAt > newConnectionGraceMillis) socket.destroy()
  })
  // No `Effect.interruptible`: SIGTERM has already interrupted this fiber, so that would end the wait at once. The races
  // run their sides in interruptible fibers even in a finalizer.
  return closed.pipe(
    Effect.raceFirst(Effect.forever(Effect.delay(sweep, sweepInterval))),
    Effect.timeoutOrElse({ duration: closeTimeout, orElse: () => Effect.sync(() => server.closeAllConnections()) }),
  )
}

/** Clients cannot connect to the wildcard address. */
const urlHost = (host: string): string =>
  host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host
