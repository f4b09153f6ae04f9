/** A socket as operators see it, and what all sockets of an endpoint share. */
import type { Identity } from "@armoricore/auth/Identity"
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import type { Clock, Effect, Fiber } from "effect"
import type { ChannelRegistry } from "../channel/ChannelRegistry.ts"
import type { JoinGrant } from "../channel/JoinPolicy.ts"
import type { Topics } from "../pubsub/Topics.ts"
import type { Limits } from "./Limits.ts"
import type { Socket } from "./Socket.ts"
import type { ConnectionLease } from "./UsageLimits.ts"

/** An open socket for operators. */
export interface OpenSocket {
  readonly id: string
  readonly identity: Identity
  readonly lease: ConnectionLease
  /** Epoch milliseconds. */
  readonly openedAt: number
  /** Bytes that the connection did not accept yet, because the client reads slowly. */
  readonly queuedBytes: number
  /** Topics that are joined or whose join is pending. */
  readonly topics: () => ReadonlyArray<string>
  /** The conditions of the join; `undefined` if the topic is not joined. */
  readonly grantOf: (topic: string) => JoinGrant | undefined
  readonly setGrant: (topic: string, grant: JoinGrant) => void
  /** Closes the socket with `reason` in the close frame. */
  readonly kick: (reason: string) => void
  /** Ends one membership with `phx_close`, after which the client does not join again. Returns false if not joined. */
  readonly kickFrom: (topic: string, reason: string) => boolean
}

/** The dependencies that all sockets of an endpoint share. */
export interface SocketContext {
  readonly channels: ChannelRegistry["Service"]
  readonly topics: Topics["Service"]
  readonly tokens: Tokens["Service"]
  readonly revocations: Revocations["Service"]
  readonly clock: Clock.Clock
  readonly limits: Limits
  /** Totals since the endpoint started. */
  readonly counts: { joins: number }
  /** Starts a fiber with the loggers and the tracer of the endpoint. The caller must end it. */
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** The connection closed: the endpoint runs the socket's `drain` and forgets the socket. */
  readonly onClosed: (socket: Socket) => void
}
