/**
 * Where connections come in: it answers the HTTP upgrade and the long-poll requests, verifies the token, holds users
 * and addresses to their limits, and owns every socket until it is gone. The composition root owns the HTTP server and
 * passes its `upgrade` and `request` events here.
 *
 * Shutdown (the layer's scope closes) refuses new connections with 503, closes the sockets bit by bit with 1012 over
 * `drainOver`, because clients reconnect without jitter, and waits for the clients' answers and the farewells.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { Identity } from "@armoricore/auth/Identity"
import { tokenRevoked, Revocations } from "@armoricore/auth/Revocations"
import { Tokens, type Unauthorized } from "@armoricore/auth/Tokens"
import type { TransientError } from "@armoricore/domain/Errors"
import { Clock, Context, Deferred, Duration, Effect, FiberSet, Layer, Schedule } from "effect"
import type { IpNetwork } from "effect/net"
import { type WebSocket, WebSocketServer } from "ws"
import { Cluster } from "../cluster/Cluster.ts"
import * as PollRelay from "../cluster/PollRelay.ts"
import * as ClusterRateLimits from "../cluster/ClusterRateLimits.ts"
import { ChannelRegistry } from "../channel/ChannelRegistry.ts"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import * as Handshake from "./Handshake.ts"
import { defaults, type Limits } from "./Limits.ts"
import * as LongPoll from "./LongPoll.ts"
import { Flusher } from "./SocketWriter.ts"
import { UsageLimits, type ConnectionLease } from "./UsageLimits.ts"
import * as CloseCode from "../protocol/CloseCode.ts"
import type { Serializer } from "../protocol/Message.ts"
import * as RealtimeMetrics from "../RealtimeMetrics.ts"
import { type OpenSocket, Socket, type SocketContext } from "./Socket.ts"
import { Topics } from "../pubsub/Topics.ts"
import type { Transport } from "./transports/Transport.ts"
import { LongPollTransport } from "./transports/LongPollTransport.ts"
import { WebSocketTransport } from "./transports/WebSocketTransport.ts"

export interface EndpointOptions {
  /** Default `/socket`: `/socket/websocket` and `/socket/longpoll`. */
  readonly path?: string
  /** Default `same`. */
  readonly allowedOrigins?: Handshake.AllowedOrigins
  /** `TRUSTED_PROXIES`: what these say of the client's address and host counts. */
  readonly trustedProxies?: ReadonlyArray<IpNetwork.IpNetwork>
  readonly limits?: Partial<Limits>
}

export class Endpoint extends Context.Service<
  Endpoint,
  {
    /**
     * For the HTTP server's `upgrade` event. False: another path, the request was not touched. Refused requests get
     * 400, 401 (token), 403 (origin, `vsn`), 429 (too many) or 503 (draining, or the keys of tokens cannot be read),
     * with a problem document that says why.
     */
    readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean
    /** For the HTTP server's `request` event: the long-poll fallback. False: another path, nothing was touched. */
    readonly handleRequest: (request: IncomingMessage, response: ServerResponse) => boolean
    /** Open sockets on this node. */
    readonly size: () => number
    /** The open sockets of this node. */
    readonly sockets: () => ReadonlyArray<OpenSocket>
  }
>()("@armoricore/realtime/Endpoint") {}

/** Sockets are let go in slices of this length. */
const drainSlice = Duration.millis(50)

const warnInterval = 60_000

interface AdmittedClient {
  readonly identity: Identity
  readonly lease: ConnectionLease
}

export const layer = (
  options: EndpointOptions = {},
): Layer.Layer<Endpoint, never, ChannelRegistry | Cluster | Topics | Tokens | Revocations> =>
  Layer.effect(
    Endpoint,
    Effect.gen(function* () {
      const limits = { ...defaults, ...options.limits }
      const path = options.path ?? "/socket"
      const rules: Handshake.Rules = {
        allowedOrigins: options.allowedOrigins ?? "same",
        trustedProxies: options.trustedProxies ?? [],
      }
      const tokens = yield* Tokens
      const revocations = yield* Revocations
      const clock = yield* Clock.Clock
      const fibers = yield* FiberSet.make<void>()
      const fork = yield* FiberSet.runtime(fibers)()
      const flusher = new Flusher()
      const usage = new UsageLimits(limits)
      yield* ClusterRateLimits.run(usage, limits)
      const sockets = new Set<Socket>()
      const allClosed = yield* Deferred.make<void>()
      let draining = false

      const removeSocket = (socket: Socket) =>
        Effect.suspend(() => {
          sockets.delete(socket)
          usage.release(socket.lease)
          return draining && sockets.size === 0 ? Effect.asVoid(Deferred.succeed(allClosed, undefined)) : Effect.void
        })
      const record = RealtimeMetrics.recorder()
      const context: SocketContext = {
        counts: { joins: 0 },
        channels: yield* ChannelRegistry,
        topics: yield* Topics,
        tokens,
        revocations,
        clock,
        limits,
        run: Effect.runForkWith(yield* Effect.context<never>()),
        onClosed: (socket) => void fork(Effect.ensuring(socket.drain, removeSocket(socket))),
      }

      /** Everything that is asked of a client before it gets a socket. Calls back once. */
      const admit = (
        request: IncomingMessage,
        token: string | undefined,
        done: (result: AdmittedClient | Handshake.Rejection) => void,
      ): void => {
        const address = Handshake.addressOf(request, rules.trustedProxies)
        fork(
          Effect.matchCause(tokens.verify(token), {
            onFailure: (cause) => done(rejectionOf(cause.reasons.find((reason) => reason._tag === "Fail")?.error)),
            onSuccess: (identity) => {
              if (draining) return done(Handshake.draining)
              if (revocations.isRevoked(identity)) return done(rejectionOf(tokenRevoked))
              const lease = usage.acquire(identity.userId, address)
              if (lease === "address") warnOfTooManySockets(address)
              done(typeof lease === "string" ? Handshake.tooManyConnections(lease) : { identity, lease })
            },
          }),
        )
      }

      /** A proxy that nobody named looks like one client with very many sockets: its operator should hear of it. */
      let warnedAt = Number.NEGATIVE_INFINITY
      const warnOfTooManySockets = (address: string): void => {
        const now = MonotonicClock.millis(clock)
        if (now - warnedAt < warnInterval) return
        warnedAt = now
        fork(
          Effect.logWarning(
            `${address} has ${limits.maxSocketsPerAddress} sockets and gets no more; if it is a proxy, name it in TRUSTED_PROXIES`,
          ),
        )
      }

      const open = (transport: Transport, { identity, lease }: AdmittedClient, serializer: Serializer): void => {
        const socket = new Socket(context, transport, identity, serializer, lease)
        sockets.add(socket)
        socket.open()
      }

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

      const upgrade = (
        request: IncomingMessage,
        wire: Duplex,
        head: Buffer,
        admitted: AdmittedClient,
        serializer: Serializer,
      ): void => {
        let opened = false
        server.handleUpgrade(request, wire, head, (ws: WebSocket) => {
          opened = true
          open(new WebSocketTransport(ws, wire, flusher, limits.maxQueuedBytes), admitted, serializer)
        })
        // It calls back at once, or it found fault with the request and answered itself: then no place is taken.
        if (!opened) usage.release(admitted.lease)
      }

      const handleUpgrade: Endpoint["Service"]["handleUpgrade"] = (request, wire, head) => {
        if (Handshake.pathOf(request) !== `${path}/websocket`) return false
        // Until `ws` takes over nobody else listens, and a reset would be thrown.
        const ignore = () => {}
        wire.on("error", ignore)
        const handshake = draining ? Handshake.draining : Handshake.readUpgrade(request, rules)
        if ("status" in handshake) {
          Handshake.reject(wire, handshake)
          return true
        }
        admit(request, handshake.token, (result) => {
          if ("status" in result) return Handshake.reject(wire, result)
          wire.off("error", ignore)
          upgrade(request, wire, head, result, handshake.serializer)
        })
        return true
      }

      const relay = yield* PollRelay.make({
        find: (token) => longPoll.find(token),
        now: () => MonotonicClock.millis(clock),
        pollWindow: limits.pollWindow,
      })
      const longPoll: LongPoll.LongPoll = LongPoll.make({
        node: relay.node,
        remoteSession: relay.session,
        maxBodyBytes: limits.maxFrameBytes,
        now: () => MonotonicClock.millis(clock),
        rules,
        makeTransport: (onGone) =>
          new LongPollTransport({
            maxQueuedBytes: limits.maxQueuedBytes,
            counts: flusher.counts,
            pollWindow: Duration.toMillis(limits.pollWindow),
            pollTimeout: Duration.toMillis(limits.pollTimeout),
            now: MonotonicClock.millis(clock),
            onGone,
          }),
        open: (request, handshake, makeTransport, done) => {
          if (draining) return done(Handshake.draining)
          admit(request, handshake.token, (result) => {
            if ("status" in result) return done(result)
            open(makeTransport(), result, handshake.serializer)
            done(undefined)
          })
        },
      })
      const handleRequest: Endpoint["Service"]["handleRequest"] = (request, response) => {
        if (Handshake.pathOf(request) !== `${path}/longpoll`) return false
        longPoll.handle(request, response)
        return true
      }

      const idleMillis = Duration.toMillis(limits.idleTimeout)
      const sweep = Effect.suspend(() => {
        const now = MonotonicClock.millis(clock)
        for (const socket of sockets) socket.sweep(now, idleMillis)
        usage.sweep(now)
        return record({
          open: sockets.size,
          joins: context.counts.joins,
          topics: context.topics.counts,
          outbound: flusher.counts,
        })
      })
      yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(limits.sweepInterval)))
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          revocations.onChange(() => {
            for (const socket of sockets) socket.checkRevocations()
          }),
        ),
        (stop) => Effect.sync(stop),
      )

      const drain = Effect.gen(function* () {
        draining = true
        const left = [...sockets]
        const slices = Math.max(1, Math.floor(Duration.toMillis(limits.drainDuration) / Duration.toMillis(drainSlice)))
        const perSlice = Math.max(1, Math.ceil(left.length / slices))
        for (let at = 0; at < left.length; at += perSlice) {
          if (at > 0) yield* Effect.sleep(drainSlice)
          for (const socket of left.slice(at, at + perSlice)) socket.close(CloseCode.restart)
        }
        const gone = sockets.size === 0 ? Effect.void : Deferred.await(allClosed)
        yield* Effect.timeoutOption(
          Effect.andThen(gone, FiberSet.awaitEmpty(fibers)),
          Duration.sum(limits.closeTimeout, Duration.seconds(1)),
        )
      })
      yield* Effect.addFinalizer(() => drain)

      return { handleUpgrade, handleRequest, size: () => sockets.size, sockets: () => [...sockets] }
    }),
  )

const rejectionOf = (error: Unauthorized | TransientError | undefined): Handshake.Rejection =>
  error?._tag === "Unauthorized" ? Handshake.unauthorized(error.message) : Handshake.unavailable
