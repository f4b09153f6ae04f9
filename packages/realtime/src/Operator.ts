/**
 * What operators see and do: open sockets and rooms, and the ways to end them. On one node and on many it is the same:
 * every node is asked, and those that did not answer in time are named.
 */
import { Revocations, type Target } from "@armoricore/auth/Revocations"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Context, Effect, Layer } from "effect"
import { Endpoint } from "./Endpoint.ts"
import type { Connected } from "./Socket.ts"

export interface SocketInfo {
  /** Unique over all nodes. */
  readonly socketId: string
  readonly userId: string
  /** As limits count it: IPv6 by its /64. */
  readonly address: string
  /** The name of the node that holds it; a node that starts again has another one. */
  readonly node: string
  readonly topics: ReadonlyArray<string>
  /** RFC 3339. */
  readonly connectedAt: string
}

export interface RoomInfo {
  readonly topic: string
  /** Sockets that joined it, over all nodes. */
  readonly members: number
  /** Nodes that have members of it. */
  readonly nodes: ReadonlyArray<string>
}

export interface NodeInfo {
  readonly node: string
  readonly sockets: number
}

/** What all nodes said together. */
export interface Gathered<A> {
  readonly items: ReadonlyArray<A>
  /** There are more than `limit`. */
  readonly truncated: boolean
  /** Nodes that did not answer in time: what they have is missing. */
  readonly silent: ReadonlyArray<string>
}

export interface SocketFilter {
  readonly userId?: string
  readonly topic?: string
  /** Default 1,000. */
  readonly limit?: number
}

export interface RoomFilter {
  /** Only topics that begin so. */
  readonly prefix?: string
  /** The largest so many; default 1,000. */
  readonly limit?: number
}

export type KickTarget = { readonly userId: string } | { readonly socketId: string }

export interface Kick {
  /** Told to the client. */
  readonly reason: string
  /** Only from this topic; the socket stays open. */
  readonly topic?: string
}

export interface Kicked {
  /** Sockets that were closed, or taken from the topic. */
  readonly kicked: number
  readonly silent: ReadonlyArray<string>
}

export class Operator extends Context.Service<
  Operator,
  {
    readonly nodes: Effect.Effect<Gathered<NodeInfo>>
    /** The longest open ones first. */
    readonly sockets: (filter?: SocketFilter) => Effect.Effect<Gathered<SocketInfo>>
    /** The largest ones first. */
    readonly rooms: (filter?: RoomFilter) => Effect.Effect<Gathered<RoomInfo>>
    /**
     * Closes sockets with 4002, after which a client may connect again, or takes them from one topic with `phx_close`,
     * after which it does not join again by itself. Who is to stay away is banned first.
     */
    readonly kick: (target: KickTarget, kick: Kick) => Effect.Effect<Kicked>
    /** Tokens of this user made until now, or this one token, count no more, and their sockets are closed with 4001. */
    readonly ban: (target: Target) => Effect.Effect<void, TransientError | ConfigurationError>
  }
>()("@armoricore/realtime/Operator") {}

const defaultLimit = 1000

export const layer: Layer.Layer<Operator, never, Endpoint | Revocations> = Layer.effect(
  Operator,
  Effect.gen(function* () {
    const endpoint = yield* Endpoint
    const revocations = yield* Revocations
    const node = crypto.randomUUID().slice(0, 8)
    return {
      nodes: Effect.sync(() => ({ items: [{ node, sockets: endpoint.size() }], truncated: false, silent: [] })),
      sockets: ({ limit = defaultLimit, ...filter } = {}) =>
        Effect.sync(() => {
          const found = endpoint.sockets().filter(matches(filter))
          const items = found.slice(0, limit).map((socket) => infoOf(node, socket))
          return { items, truncated: found.length > limit, silent: [] }
        }),
      rooms: ({ prefix = "", limit = defaultLimit } = {}) =>
        Effect.sync(() => {
          const rooms = [...countOf(endpoint.sockets(), prefix)].sort(([, a], [, b]) => b - a)
          const items = rooms.slice(0, limit).map(([topic, members]) => ({ topic, members, nodes: [node] }))
          return { items, truncated: rooms.length > limit, silent: [] }
        }),
      kick: (target, { reason, topic }) =>
        Effect.sync(() => {
          let kicked = 0
          for (const socket of endpoint.sockets()) {
            if ("userId" in target ? socket.identity.userId !== target.userId : socket.id !== target.socketId) continue
            if (topic === undefined) socket.kick(reason)
            else if (!socket.kickFrom(topic, reason)) continue
            kicked++
          }
          return { kicked, silent: [] }
        }),
      ban: revocations.revoke,
    }
  }),
)

const matches =
  ({ userId, topic }: SocketFilter) =>
  (socket: Connected): boolean =>
    (userId === undefined || socket.identity.userId === userId) &&
    (topic === undefined || socket.topics().includes(topic))

const infoOf = (node: string, socket: Connected): SocketInfo => ({
  socketId: socket.id,
  userId: socket.identity.userId,
  address: socket.place.address.key,
  node,
  topics: socket.topics(),
  connectedAt: new Date(socket.openedAt).toISOString(),
})

const countOf = (sockets: ReadonlyArray<Connected>, prefix: string): ReadonlyMap<string, number> => {
  const rooms = new Map<string, number>()
  for (const socket of sockets) {
    for (const topic of socket.topics()) if (topic.startsWith(prefix)) rooms.set(topic, (rooms.get(topic) ?? 0) + 1)
  }
  return rooms
}
