/**
 * Where connections come in: it answers the HTTP upgrade, verifies the token, and owns every socket until it is gone.
 * The composition root owns the HTTP server and passes its `upgrade` events here.
 *
 * Shutdown (the layer's scope closes) refuses new connections with 503, closes the sockets bit by bit with 1012 over
 * `drainOver`, waits for the clients' answers, and ends what is left.
 */
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import type { Identity } from "@armoricore/auth/Identity"
import { Tokens } from "@armoricore/auth/Tokens"
import { Clock, Context, Duration, Effect, FiberSet, Layer, Schedule } from "effect"
import { type WebSocket, WebSocketServer } from "ws"
import { Channels } from "./Channels.ts"
import * as Handshake from "./Handshake.ts"
import { defaults, type Limits } from "./Limits.ts"
import { Flusher } from "./Outbound.ts"
import * as CloseCode from "./protocol/CloseCode.ts"
import type { Serializer } from "./protocol/Message.ts"
import * as RealtimeMetrics from "./RealtimeMetrics.ts"
import { Socket, type Surroundings } from "./Socket.ts"
import { Topics } from "./Topics.ts"

export interface EndpointOptions {
  /** Default `/socket/websocket`. */
  readonly path?: string
  /** Default `same`. */
  readonly allowedOrigins?: Handshake.AllowedOrigins
  readonly limits?: Partial<Limits>
}

export class Endpoint extends Context.Service<
  Endpoint,
  {
    /**
     * For the HTTP server's `upgrade` event. False: another path, the request was not touched. Refused requests get
     * 400, 401 (token), 403 (origin, `vsn`) or 503 (draining, or the keys of tokens cannot be read).
     */
    readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean
    /** Open sockets on this node. */
    readonly size: () => number
  }
>()("@armoricore/realtime/Endpoint") {}

/** Sockets are let go in slices of this length. */
const drainSlice = Duration.millis(50)

export const layer = (options: EndpointOptions = {}): Layer.Layer<Endpoint, never, Channels | Topics | Tokens> =>
  Layer.effect(
    Endpoint,
    Effect.gen(function* () {
      const limits = { ...defaults, ...options.limits }
      const path = options.path ?? "/socket/websocket"
      const tokens = yield* Tokens
      const clock = yield* Clock.Clock
      const surroundings: Surroundings = {
        channels: yield* Channels,
        topics: yield* Topics,
        tokens,
        clock,
        limits,
        flusher: new Flusher(),
        run: Effect.runForkWith(yield* Effect.context<never>()),
      }
      const sockets = new Set<Socket>()
      const fibers = yield* FiberSet.make<void>()
      const fork = yield* FiberSet.runtime(fibers)()
      // A constant of its own, since the types of `ws` do not know `closeTimeout` yet.
      const serverOptions = {
        noServer: true,
        clientTracking: false,
        perMessageDeflate: false,
        maxPayload: limits.maxFrameBytes,
        closeTimeout: Duration.toMillis(limits.closeTimeout),
        handleProtocols: (offered: ReadonlySet<string>) => offered.has(Handshake.subprotocol) && Handshake.subprotocol,
      }
      const server = new WebSocketServer(serverOptions)
      let draining = false

      const accept = (ws: WebSocket, wire: Duplex, identity: Identity, serializer: Serializer): void => {
        const socket = new Socket(surroundings, ws, wire, identity, serializer)
        sockets.add(socket)
        fork(
          Effect.ensuring(
            socket.lifetime,
            Effect.sync(() => sockets.delete(socket)),
          ),
        )
      }

      const handleUpgrade: Endpoint["Service"]["handleUpgrade"] = (request, socket, head) => {
        if (Handshake.pathOf(request) !== path) return false
        // Until `ws` takes over nobody else listens, and a reset would be thrown.
        const ignore = () => {}
        socket.on("error", ignore)
        const handshake = draining ? 503 : Handshake.read(request, options.allowedOrigins ?? "same")
        if (typeof handshake === "number") {
          Handshake.refuse(socket, handshake)
          return true
        }
        const { serializer, token } = handshake
        fork(
          Effect.matchCause(tokens.verify(token), {
            onFailure: (cause) => {
              const refused = cause.reasons.some(
                (reason) => reason._tag === "Fail" && reason.error._tag === "Unauthorized",
              )
              Handshake.refuse(socket, refused ? 401 : 503)
            },
            onSuccess: (identity) => {
              socket.off("error", ignore)
              if (draining) Handshake.refuse(socket, 503)
              else server.handleUpgrade(request, socket, head, (ws) => accept(ws, socket, identity, serializer))
            },
          }),
        )
        return true
      }

      const idleMillis = Duration.toMillis(limits.idleTimeout)
      const sweep = Effect.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        for (const socket of sockets) socket.sweep(now, idleMillis)
        return RealtimeMetrics.record(sockets.size, surroundings.topics.counts, surroundings.flusher.counts)
      })
      yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(limits.sweepEvery)))

      const drain = Effect.gen(function* () {
        draining = true
        const open = [...sockets]
        const slices = Math.max(1, Math.floor(Duration.toMillis(limits.drainOver) / Duration.toMillis(drainSlice)))
        const perSlice = Math.max(1, Math.ceil(open.length / slices))
        for (let at = 0; at < open.length; at += perSlice) {
          if (at > 0) yield* Effect.sleep(drainSlice)
          for (const socket of open.slice(at, at + perSlice)) socket.close(CloseCode.restart)
        }
        yield* Effect.timeoutOption(FiberSet.awaitEmpty(fibers), Duration.sum(limits.closeTimeout, Duration.seconds(1)))
      })
      yield* Effect.addFinalizer(() => drain)

      return { handleUpgrade, size: () => sockets.size }
    }),
  )
