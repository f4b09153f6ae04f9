/**
 * The one listener of the process: HTTP routes, and connections that upgrade to WebSockets.
 *
 * Upgrades are dispatched here by path. Effect's own HTTP server would answer every upgrade itself with a 404 on the
 * socket that another has taken over, so only its request handler is used.
 */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { NodeHttpServer } from "@effect/platform-node"
import { Duration, Effect, Exit, type Layer, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { createPrivateKey, X509Certificate } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import { readSettingFile, Settings } from "../settings/Settings.ts"
import { ClusterWorker } from "../workers/ClusterWorker.ts"

/** Takes over the connection of a request that asks for an upgrade; false: another path, nothing was touched. */
export type UpgradeHandler = (request: Http.IncomingMessage, socket: Duplex, head: Buffer) => boolean

/** Answers a request itself; false: another path, nothing was touched, and the routes answer. */
export type RequestHandler = (request: Http.IncomingMessage, response: Http.ServerResponse) => boolean

export interface ServerAddress {
  readonly port: number
  /** How clients reach it, without a slash at its end. */
  readonly url: string
}

/** A large upload over a slow line takes hours; a line that is silent for two minutes is dropped. */
const requestTimeoutMillis = 6 * 3_600_000
const idleSocketTimeoutMillis = 120_000

/**
 * A server that answers these routes once `listen` is called. When the scope closes it takes no new connection and gives
 * running requests `closingMillis`; whoever takes over upgraded connections must have closed them by then.
 */
export const make = Effect.fnUntraced(function* <A, E, R>(routes: Layer.Layer<A, E, R>) {
  const settings = yield* Settings
  const publicUrl = yield* PublicUrl
  const app = yield* HttpRouter.toHttpEffect(routes)
  // Not the server's scope: that ends what was added last at first, which would be the requests of this moment.
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

const createServer = Effect.gen(function* () {
  const { SETTINGS_REFRESH_INTERVAL, TLS_CERT, TLS_KEY } = yield* Settings
  if (TLS_CERT === undefined || TLS_KEY === undefined) return Http.createServer()
  const read = Effect.flatMap(
    Effect.all({ cert: readSettingFile("TLS_CERT", TLS_CERT), key: readSettingFile("TLS_KEY", TLS_KEY) }),
    verifyKeyPair,
  )
  const first = yield* read
  const taken = yield* Effect.try({ try: () => Https.createServer(first), catch: invalidKeyPair })
  if (Duration.toMillis(SETTINGS_REFRESH_INTERVAL) > 0)
    yield* Effect.forkScoped(reloadCertificate(taken, first, read, SETTINGS_REFRESH_INTERVAL))
  return taken
})

interface CertificateKeyPair {
  readonly cert: string
  readonly key: string
}

const invalidKeyPair = (cause: unknown) =>
  new ConfigurationError({
    setting: "TLS_CERT",
    message: "TLS_CERT and TLS_KEY are no certificate and key in PEM that belong together",
    ...(cause === undefined ? {} : { cause }),
  })

/** OpenSSL takes a certificate and a key of different kinds without a word, and then has neither. */
const verifyKeyPair = (pair: CertificateKeyPair): Effect.Effect<CertificateKeyPair, ConfigurationError> =>
  Effect.flatMap(
    Effect.try({
      try: () => new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key)),
      catch: invalidKeyPair,
    }),
    (belong) => (belong ? Effect.succeed(pair) : Effect.fail(invalidKeyPair(undefined))),
  )

/** Takes over a certificate that was replaced; connections that are open keep theirs. */
const reloadCertificate = Effect.fnUntraced(function* <R>(
  server: Https.Server,
  first: CertificateKeyPair,
  read: Effect.Effect<CertificateKeyPair, ConfigurationError, R>,
  every: Duration.Duration,
) {
  let current = first
  for (;;) {
    yield* Effect.sleep(every)
    yield* Effect.gen(function* () {
      const now = yield* read
      if (now.cert === current.cert && now.key === current.key) return
      yield* Effect.try({ try: () => server.setSecureContext(now), catch: invalidKeyPair })
      current = now
      yield* Effect.logInfo("the TLS certificate was replaced; new connections get the new one")
    }).pipe(
      // Files are replaced one after the other: between the two they are no pair.
      Effect.catch((error) => Effect.logWarning(`the TLS certificate stays as it is: ${error.message}`)),
    )
  }
})

const bind = (server: Http.Server, port: number, host: string): Effect.Effect<number, ConfigurationError> =>
  Effect.callback((resume) => {
    const failed = (cause: NodeJS.ErrnoException) => resume(Effect.fail(bindError(cause, port, host)))
    server.once("error", failed)
    server.listen({ port, host }, () => {
      server.off("error", failed)
      const address: AddressInfo | string | null = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    })
  })

const bindError = (cause: NodeJS.ErrnoException, port: number, host: string): ConfigurationError => {
  const knownErrors: Readonly<Record<string, readonly [setting: string, message: string]>> = {
    EADDRINUSE: [
      "PORT",
      `port ${port} of ${host} is taken; stop what listens there, or set PORT to another one (0 takes any free one)`,
    ],
    EACCES: ["PORT", `port ${port} may not be used by this user; set PORT to one from 1024`],
    EADDRNOTAVAIL: ["HOST", `${host} is no address of this machine; set HOST to one that is, or to 0.0.0.0 for all`],
    ENOTFOUND: ["HOST", `${host} is not known; set HOST to an address of this machine`],
  }
  const [setting, message] = knownErrors[cause.code ?? ""] ?? [
    "PORT",
    `cannot listen on ${host}:${port}: ${cause.message}`,
  ]
  return new ConfigurationError({ setting, message, cause })
}

/** Connections that never asked for anything, and since when: browsers and load balancers open some in advance. */
type UnusedConnections = ReadonlyMap<Socket, number>

const trackUnusedConnections = (server: Http.Server): UnusedConnections => {
  const silent = new Map<Socket, number>()
  server.on(server instanceof Https.Server ? "secureConnection" : "connection", (socket: Socket) => {
    silent.set(socket, performance.now())
    socket.once("close", () => silent.delete(socket))
  })
  const heard = ({ socket }: Http.IncomingMessage) => void silent.delete(socket)
  server.on("request", heard)
  server.on("upgrade", heard)
  return silent
}

const closeTimeoutMillis = 5_000
const sweepIntervalMillis = 50
/** Who was accepted just now may have a request under way. */
const newConnectionGraceMillis = 1_000

const close = (server: Http.Server, unusedConnections: UnusedConnections): Effect.Effect<void> =>
  server.listening ? closeListening(server, unusedConnections) : Effect.void

const closeListening = (server: Http.Server, unusedConnections: UnusedConnections): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // Whose request ends meanwhile would be kept for the next one.
    const sweep = setInterval(() => {
      server.closeIdleConnections()
      // Node counts them as busy.
      for (const [socket, since] of unusedConnections)
        if (performance.now() - since > newConnectionGraceMillis) socket.destroy()
    }, sweepIntervalMillis)
    server.close(() => {
      clearInterval(sweep)
      resume(Effect.void)
    })
    return Effect.sync(() => clearInterval(sweep))
  }).pipe(
    Effect.timeoutOrElse({
      duration: closeTimeoutMillis,
      orElse: () => Effect.sync(() => server.closeAllConnections()),
    }),
  )

/** An address that stands for all of them is no address to call. */
const urlHost = (host: string): string =>
  host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host
