/**
 * Membership of the nodes that share a bus, and messages and requests between them. A group of nodes uses two addresses of
 * the bus's ephemeral channel: `<group>.all` reaches every node, `<group>.to.<node>` one. Nodes are equal: each publishes
 * `hello` at its start, a heartbeat at a fixed interval, and `bye` at its end. A node without heartbeats for `nodeTimeout` is
 * lost. Nothing is stored; a node that restarts has a new name.
 *
 * Delivery is at most once, and in order per sender. A component that needs more puts a version into the heartbeat
 * (`onHeartbeat`), so that its counterpart on another node notices a lost message.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus, type ReceivedMessage } from "@armoricore/bus/EventBus"
import { Clock, Deferred, Duration, Effect, Option, Schedule, Schema, type Scope, Stream } from "effect"
import * as MonotonicClock from "../MonotonicClock.ts"
import { fragment, Reassembler } from "./MessageFragments.ts"
import { PeerTable } from "./PeerTable.ts"

/** Both sides use the same Schema; its encoded form must be JSON. */
export type MessageSchema<A> = Schema.Codec<A, unknown>

export interface ClusterMessage<A> {
  readonly from: string
  readonly value: A
  /** Replies to a request: at most once, now or later. Without effect for other messages. */
  readonly reply: (value: unknown) => void
}

export interface Reply<A> {
  readonly node: string
  readonly value: A
}

export interface Replies<A> {
  readonly replies: ReadonlyArray<Reply<A>>
  /** Nodes that did not reply in time, or left before they did. */
  readonly unresponsive: ReadonlyArray<string>
}

export type NodeChange =
  | "joined"
  /** It published `bye`. */
  | "left"
  /** Its heartbeats stopped, or another process reported its crash. */
  | "lost"
  /** Its heartbeats stopped, but this node does not receive its own messages either: this node is cut off. */
  | "partitioned"

export interface ClusterMembership {
  /** This node's name. */
  readonly node: string
  /** The other live nodes. */
  readonly otherNodes: () => ReadonlyArray<string>
  /** False while the bus is disconnected: no message arrives. */
  readonly isConnected: () => boolean
  /** To one node, or to all others. The message is lost while the bus is disconnected. */
  readonly send: (to: string | typeof allNodes, kind: string, value: unknown) => Effect.Effect<void>
  /** Handles messages of this kind until the scope closes. `onMessage` must not block or throw. */
  readonly on: <A>(
    kind: string,
    schema: MessageSchema<A>,
    onMessage: (message: ClusterMessage<A>) => void,
  ) => Effect.Effect<void, never, Scope.Scope>
  /** The reply of one node; `undefined` if it did not reply in time or is gone. */
  readonly request: <A>(
    node: string,
    kind: string,
    value: unknown,
    schema: MessageSchema<A>,
    timeout?: Duration.Duration,
  ) => Effect.Effect<A | undefined>
  /** Scatter–gather: the replies of all other nodes, or only of `nodes`. */
  readonly requestAll: <A>(
    kind: string,
    value: unknown,
    schema: MessageSchema<A>,
    options?: { readonly nodes?: ReadonlyArray<string>; readonly timeout?: Duration.Duration },
  ) => Effect.Effect<Replies<A>>
  /** Adds `value()` to every heartbeat of this node under `name`, and passes the other nodes' values to `onValue`. */
  readonly onHeartbeat: <A>(
    name: string,
    schema: MessageSchema<A>,
    value: () => A,
    onValue: (node: string, value: A) => void,
  ) => Effect.Effect<void, never, Scope.Scope>
  readonly onNodeChange: (
    listener: (change: NodeChange, node: string) => void,
  ) => Effect.Effect<void, never, Scope.Scope>
  /** The bus is connected again: messages published in between were missed. */
  readonly onReconnect: (listener: () => void) => Effect.Effect<void, never, Scope.Scope>
  readonly onDisconnect: (listener: () => void) => Effect.Effect<void, never, Scope.Scope>
}

/** As a recipient: all other nodes. */
export const allNodes = "*"

export interface HeartbeatOptions {
  /** Default 5 s. */
  readonly heartbeatInterval?: Duration.Duration
  /** A node without a message for this long is lost. Default 15 s. */
  readonly nodeTimeout?: Duration.Duration
}

export interface ClusterMembershipOptions extends HeartbeatOptions {
  /** Prefix of the group's addresses, for example `cluster`. */
  readonly group: string
  /** This node's name: unique, never reused, and usable in a bus address. */
  readonly node: string
  /** Fields of the heartbeat that `hello` must have already; `onHeartbeat` adds others later. */
  readonly heartbeatFields?: Readonly<Record<string, HeartbeatField>>
}

export interface HeartbeatField {
  readonly value: () => unknown
  readonly receive: (node: string, value: unknown) => void
}

/** A value that this node adds to its heartbeats, and the handler of the other nodes' values. */
export const heartbeatField = <A>(
  schema: MessageSchema<A>,
  value: () => A,
  onValue: (node: string, value: A) => void,
): HeartbeatField => {
  const decode = Schema.decodeUnknownOption(schema)
  return {
    value,
    receive: (from, encoded) => {
      const decoded = decode(encoded)
      if (Option.isSome(decoded)) onValue(from, decoded.value)
    },
  }
}

const defaultRequestTimeout = Duration.seconds(2)

/** Kinds of the protocol's own messages. */
const kinds = { hello: "hello", heartbeat: "beat", bye: "bye", down: "down", reply: "reply" } as const

const Envelope = Schema.fromJsonString(
  Schema.Struct({
    from: Schema.String,
    kind: Schema.String,
    /** Of a request, and of its reply. */
    id: Schema.optionalKey(Schema.String),
    value: Schema.optionalKey(Schema.Unknown),
  }),
)
const decodeEnvelope = Schema.decodeUnknownOption(Envelope)

const Heartbeat = Schema.Record(Schema.String, Schema.Unknown)

const addressOf = (group: string, to: string): Address.EphemeralAddress =>
  Address.ephemeral(to === allNodes ? `${group}.all` : `${group}.to.${to}`)

/** Reports on behalf of `node` that its process ended, so that the others need not wait for its timeout. */
export const announceDown = Effect.fn("ClusterMembership.announceDown")(function* (group: string, node: string) {
  const bus = yield* EventBus
  yield* bus.broadcast(addressOf(group, allNodes), Buffer.from(JSON.stringify({ from: node, kind: kinds.down })))
})

/** Runs until the scope closes. Its start publishes `hello`, its end `bye`. */
export const make = Effect.fnUntraced(function* (options: ClusterMembershipOptions) {
  const { group, node } = options
  const bus = yield* EventBus
  const clock = yield* Clock.Clock
  const now = () => MonotonicClock.millis(clock)
  const heartbeatInterval = options.heartbeatInterval ?? Duration.seconds(5)
  const peers = new PeerTable(
    Duration.toMillis(heartbeatInterval),
    Duration.toMillis(options.nodeTimeout ?? Duration.seconds(15)),
    now(),
  )
  const requests = new PendingRequests()
  // Replies are sent from synchronous bus callbacks; a publish ends soon and needs no supervision.
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const handlers = new Map<string, (from: string, value: unknown, reply: (value: unknown) => void) => void>()
  const heartbeatFields = new Map(Object.entries(options.heartbeatFields ?? {}))
  const nodeListeners = new Set<(change: NodeChange, node: string) => void>()
  const reconnectListeners = new Set<() => void>()
  const disconnectListeners = new Set<() => void>()
  const reassembler = new Reassembler()
  let isConnected = (yield* bus.status) === "connected"
  let messageCount = 0

  const notify = (change: NodeChange, peer: string): void => {
    if (change !== "joined") requests.abandon(peer)
    for (const listener of nodeListeners) listener(change, peer)
  }

  const send = (to: string, kind: string, value: unknown, id?: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!isConnected) return Effect.void
      const text = JSON.stringify({ from: node, kind, ...(id === undefined ? {} : { id }), value })
      const address = addressOf(group, to)
      const fragments = fragment(`${node}.${++messageCount}`, text)
      return Effect.forEach(fragments, (body) => bus.broadcast(address, body), { discard: true })
    }).pipe(Effect.catch((error) => Effect.logDebug(`could not send ${kind} to other nodes`, error)))

  const receive = ({ body }: ReceivedMessage): void => {
    const text = reassembler.add(body)
    const message = text === undefined ? Option.none() : decodeEnvelope(text)
    if (Option.isNone(message)) return
    const { from, kind, id, value } = message.value
    if (from === node) return peers.recordEcho(now())
    if (peers.hasDeparted(from)) return
    if (!peers.has(from) && (kind === kinds.bye || kind === kinds.down)) return void peers.depart(from, now())
    if (peers.recordMessage(from, now())) notify("joined", from)
    if (kind === kinds.reply) return id === undefined ? undefined : requests.receiveReply(id, from, value)
    handlers.get(kind)?.(from, value, (reply) => {
      if (id !== undefined) fork(send(from, kinds.reply, reply, id))
    })
  }

  const on: ClusterMembership["on"] = <A>(
    kind: string,
    schema: MessageSchema<A>,
    onMessage: (message: ClusterMessage<A>) => void,
  ) => {
    const decode = Schema.decodeUnknownOption(schema)
    const handler = (from: string, value: unknown, reply: (value: unknown) => void) =>
      Option.match(decode(value), {
        // During a rolling update, nodes of two versions ignore each other's unknown messages.
        onNone: () => void fork(Effect.logDebug(`ignored ${kind} of node ${from}: unknown format`)),
        onSome: (decoded) => onMessage({ from, value: decoded, reply }),
      })
    return register(handlers, kind, handler)
  }

  const heartbeat = () => Object.fromEntries(Array.from(heartbeatFields, ([name, { value }]) => [name, value()]))
  const receiveHeartbeat = (from: string, values: Readonly<Record<string, unknown>>): void => {
    for (const [name, value] of Object.entries(values)) heartbeatFields.get(name)?.receive(from, value)
  }
  const depart = (change: "left" | "lost", peer: string): void => {
    if (peers.depart(peer, now())) notify(change, peer)
  }
  const sendHello = Effect.suspend(() => send(allNodes, kinds.hello, heartbeat()))
  const removeSilentPeers = Effect.sync(() => {
    const { isPartitioned, silent } = peers.sweep(now())
    for (const peer of silent) notify(isPartitioned ? "partitioned" : "lost", peer)
  })

  yield* on(kinds.hello, Heartbeat, ({ from, value }) => {
    receiveHeartbeat(from, value)
    fork(send(from, kinds.heartbeat, heartbeat()))
  })
  yield* on(kinds.heartbeat, Heartbeat, ({ from, value }) => receiveHeartbeat(from, value))
  yield* on(kinds.bye, Schema.Unknown, ({ from }) => depart("left", from))
  yield* on(kinds.down, Schema.Unknown, ({ from }) => depart("lost", from))

  yield* bus.subscribe(addressOf(group, node), receive)
  // The gap callback: the bus was disconnected, or this node read too slowly.
  yield* bus.subscribe(addressOf(group, allNodes), receive, () => {
    isConnected = true
    for (const listener of reconnectListeners) listener()
    fork(sendHello)
  })
  yield* Effect.forkScoped(
    Stream.runForEach(bus.statusChanges, (status) =>
      Effect.sync(() => {
        const wasConnected = isConnected
        isConnected = status === "connected"
        if (wasConnected && !isConnected) for (const listener of disconnectListeners) listener()
      }),
    ),
  )
  yield* Effect.forkScoped(
    Effect.suspend(() => send(allNodes, kinds.heartbeat, heartbeat())).pipe(
      Effect.andThen(removeSilentPeers),
      Effect.schedule(Schedule.spaced(heartbeatInterval)),
    ),
  )
  // The membership is built before its users and closed after them: their last messages precede `bye`.
  yield* Effect.addFinalizer(() => send(allNodes, kinds.bye, null))
  yield* sendHello

  const gather = <A>(
    nodes: ReadonlyArray<string>,
    kind: string,
    value: unknown,
    schema: MessageSchema<A>,
    timeout: Duration.Duration,
  ): Effect.Effect<Replies<A>> =>
    Effect.suspend(() => {
      const [recipient] = nodes
      if (recipient === undefined) return Effect.succeed({ replies: [], unresponsive: [] })
      const id = `${node}.${++messageCount}`
      const { done, result } = requests.open(id, nodes, schema)
      return send(nodes.length === 1 ? recipient : allNodes, kind, value, id).pipe(
        Effect.andThen(Effect.timeoutOption(Deferred.await(done), timeout)),
        Effect.ensuring(Effect.sync(() => requests.close(id))),
        Effect.map(result),
      )
    })

  return {
    node,
    otherNodes: () => peers.nodes(),
    isConnected: () => isConnected,
    send: (to, kind, value) => send(to, kind, value),
    on,
    request: (peer, kind, value, schema, timeout = defaultRequestTimeout) =>
      Effect.map(gather([peer], kind, value, schema, timeout), ({ replies }) => replies[0]?.value),
    requestAll: (kind, value, schema, { nodes = peers.nodes(), timeout = defaultRequestTimeout } = {}) =>
      gather(nodes, kind, value, schema, timeout),
    onHeartbeat: (name, schema, value, onValue) =>
      register(heartbeatFields, name, heartbeatField(schema, value, onValue)),
    onNodeChange: (listener) => addListener(nodeListeners, listener),
    onReconnect: (listener) => addListener(reconnectListeners, listener),
    onDisconnect: (listener) => addListener(disconnectListeners, listener),
  } satisfies ClusterMembership
})

const register = <A>(registry: Map<string, A>, name: string, entry: A): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void registry.set(name, entry)),
    () => Effect.sync(() => void registry.delete(name)),
  )

const addListener = <A>(listeners: Set<A>, listener: A): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => listeners.add(listener)),
      () => Effect.sync(() => listeners.delete(listener)),
    ),
  )

interface PendingRequest {
  readonly onReply: (node: string, value: unknown) => void
  readonly onNodeGone: (node: string) => void
}

/** Requests of this node that wait for replies. */
class PendingRequests {
  readonly #pending = new Map<string, PendingRequest>()

  open<A>(id: string, nodes: ReadonlyArray<string>, schema: MessageSchema<A>) {
    const decode = Schema.decodeUnknownOption(schema)
    const waiting = new Set(nodes)
    const replies: Array<Reply<A>> = []
    const gone: Array<string> = []
    const done = Deferred.makeUnsafe<void>()
    const settle = (node: string, record: () => void): void => {
      if (!waiting.delete(node)) return
      record()
      if (waiting.size === 0) Deferred.doneUnsafe(done, Effect.void)
    }
    this.#pending.set(id, {
      onReply: (node, value) => {
        const decoded = decode(value)
        if (Option.isSome(decoded)) settle(node, () => replies.push({ node, value: decoded.value }))
      },
      onNodeGone: (node) => settle(node, () => gone.push(node)),
    })
    return { done, result: (): Replies<A> => ({ replies, unresponsive: [...gone, ...waiting] }) }
  }

  receiveReply(id: string, node: string, value: unknown): void {
    this.#pending.get(id)?.onReply(node, value)
  }

  /** The node is gone: no request waits for its reply any longer. */
  abandon(node: string): void {
    for (const { onNodeGone } of this.#pending.values()) onNodeGone(node)
  }

  close(id: string): void {
    this.#pending.delete(id)
  }
}
