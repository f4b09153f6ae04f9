/** The {@link Cluster} over the bus's live channel: `cluster.all` is heard by all nodes, `cluster.to.<node>` by one. */
import * as Address from "@armoricore/bus/Address"
import { EventBus, type ReceivedMessage } from "@armoricore/bus/EventBus"
import { Clock, Deferred, Duration, Effect, Option, Schedule, Schema, Stream } from "effect"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import {
  type Reply,
  type Cluster,
  type ClusterOptions,
  allNodes,
  type ClusterMessage,
  type NodeChange,
} from "./Cluster.ts"
import { fragment, Reassembler } from "./MessageFragments.ts"

const Envelope = Schema.fromJsonString(
  Schema.Struct({
    from: Schema.String,
    kind: Schema.String,
    /** Of a question, and of its answer. */
    id: Schema.optionalKey(Schema.String),
    value: Schema.optionalKey(Schema.Unknown),
  }),
)
const decodeEnvelope = Schema.decodeUnknownOption(Envelope)

const Heartbeat = Schema.Record(Schema.String, Schema.Unknown)
const AnyValue = Schema.Unknown

/** Said in the name of a node by whoever saw its process end. */
const nodeDown = "died"

/** How long others may take to answer. */
const defaultTimeout = Duration.seconds(2)

interface PendingRequest {
  readonly onReply: (node: string, value: unknown) => void
  /** The node is gone and answers no more. */
  readonly onNodeGone: (node: string) => void
}

interface HeartbeatField {
  readonly value: () => unknown
  readonly onValue: (node: string, value: unknown) => void
}

/** Tells the others that this node's process ended, so that they need not wait until they miss it. */
export const announceDown = (node: string) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.broadcast(Address.ephemeral("cluster.all"), Buffer.from(JSON.stringify({ from: node, kind: nodeDown })))
  })

export const make = Effect.fnUntraced(function* (node: string, options: ClusterOptions) {
  const bus = yield* EventBus
  const clock = yield* Clock.Clock
  const heartbeatInterval = options.heartbeatInterval ?? Duration.seconds(5)
  const nodeTimeoutMillis = Duration.toMillis(options.nodeTimeout ?? Duration.seconds(15))
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const handlers = new Map<string, (from: string, value: unknown, answer: (value: unknown) => void) => void>()
  const heartbeatFields = new Map<string, HeartbeatField>()
  const pendingRequests = new Map<string, PendingRequest>()
  const nodeListeners = new Set<(change: NodeChange, node: string) => void>()
  const reconnects = new Set<() => void>()
  const disconnects = new Set<() => void>()
  /** When each was heard last. */
  const nodes = new Map<string, number>()
  /** Those that said `bye`, or that died: what of theirs comes late brings them back no more. */
  const departed = new Map<string, number>()
  /** Whatever is said to all comes back: a node that does not hear itself is the one that is cut off. */
  let lastEchoAt = MonotonicClock.millis(clock)
  const reassembler = new Reassembler()
  let connected = (yield* bus.status) === "connected"
  let count = 0

  const notifyNodeChange = (kind: NodeChange, other: string) => {
    if (kind !== "came") for (const question of pendingRequests.values()) question.onNodeGone(other)
    for (const listener of nodeListeners) listener(kind, other)
  }

  const send = (to: string, kind: string, value: unknown, id?: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!connected) return Effect.void
      const address = Address.ephemeral(to === allNodes ? "cluster.all" : `cluster.to.${to}`)
      const text = JSON.stringify({ from: node, kind, ...(id === undefined ? {} : { id }), value })
      const fragments = fragment(`${node}.${++count}`, text)
      return Effect.forEach(fragments, (parcel) => bus.broadcast(address, parcel), { discard: true })
    }).pipe(Effect.catch((error) => Effect.logDebug(`${kind} to other nodes was not sent`, error)))

  const currentHeartbeat = () => Object.fromEntries(Array.from(heartbeatFields, ([name, { value }]) => [name, value()]))

  const receiveHeartbeat = (from: string, values: Readonly<Record<string, unknown>>) => {
    for (const [name, value] of Object.entries(values)) heartbeatFields.get(name)?.onValue(from, value)
  }

  const receive = ({ body }: ReceivedMessage): void => {
    const text = reassembler.add(body)
    const message = text === undefined ? Option.none() : decodeEnvelope(text)
    if (Option.isNone(message)) return
    const { from, kind, id, value } = message.value
    if (from === node) lastEchoAt = MonotonicClock.millis(clock)
    if (from === node || departed.has(from)) return
    const isNew = !nodes.has(from)
    // Nobody knew it, and nobody needs to any more.
    if (isNew && (kind === "bye" || kind === nodeDown)) return void departed.set(from, MonotonicClock.millis(clock))
    nodes.set(from, MonotonicClock.millis(clock))
    if (isNew) notifyNodeChange("came", from)
    if (kind === "answer") return id === undefined ? undefined : pendingRequests.get(id)?.onReply(from, value)
    handlers.get(kind)?.(from, value, (answer) => {
      if (id !== undefined) run(send(from, "answer", answer, id))
    })
  }

  const on: Cluster["Service"]["on"] = <A>(
    kind: string,
    schema: Schema.Codec<A, unknown>,
    onHeard: (heard: ClusterMessage<A>) => void,
  ) => {
    const decode = Schema.decodeUnknownOption(schema)
    const handler = (from: string, value: unknown, reply: (value: unknown) => void) =>
      Option.match(decode(value), {
        // Another version of this program: the nodes of a rolling update need not understand each other's every word.
        onNone: () => void run(Effect.logDebug(`${kind} of node ${from} cannot be read`)),
        onSome: (decoded) => onHeard({ from, value: decoded, reply }),
      })
    return Effect.acquireRelease(
      Effect.sync(() => void handlers.set(kind, handler)),
      () => Effect.sync(() => void handlers.delete(kind)),
    )
  }

  const addListener = <A>(all: Set<A>, listener: A) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => all.add(listener)),
        () => Effect.sync(() => all.delete(listener)),
      ),
    )

  const removeNode = (kind: "left" | "lost", other: string): void => {
    departed.set(other, MonotonicClock.millis(clock))
    if (nodes.delete(other)) notifyNodeChange(kind, other)
  }

  let sweptAt = MonotonicClock.millis(clock)
  const sweep = Effect.sync(() => {
    const now = MonotonicClock.millis(clock)
    // This process itself stood still: what the others said meanwhile still waits to be heard.
    const stalledFor = now - sweptAt - Duration.toMillis(heartbeatInterval)
    sweptAt = now
    const isPartitioned = now - lastEchoAt > 1.5 * Duration.toMillis(heartbeatInterval)
    for (const [other, at] of nodes) {
      if (stalledFor > Duration.toMillis(heartbeatInterval)) nodes.set(other, now)
      else if (now - at >= nodeTimeoutMillis) {
        nodes.delete(other)
        notifyNodeChange(isPartitioned ? "unheard" : "lost", other)
      }
    }
    for (const [other, at] of departed) if (now - at >= 4 * nodeTimeoutMillis) departed.delete(other)
  })

  const hello = Effect.suspend(() => send(allNodes, "hello", currentHeartbeat()))
  yield* on("hello", Heartbeat, ({ from, value }) => {
    receiveHeartbeat(from, value)
    run(send(from, "beat", currentHeartbeat()))
  })
  yield* on("beat", Heartbeat, ({ from, value }) => receiveHeartbeat(from, value))
  yield* on("bye", AnyValue, ({ from }) => removeNode("left", from))
  yield* on(nodeDown, AnyValue, ({ from }) => removeNode("lost", from))

  yield* bus.subscribe(Address.ephemeral(`cluster.to.${node}`), receive)
  yield* bus.subscribe(Address.ephemeral("cluster.all"), receive, () => {
    // Too slow for the bus, or it was away and is back.
    connected = true
    for (const listener of reconnects) listener()
    run(hello)
  })
  yield* Effect.forkScoped(
    Stream.runForEach(bus.statusChanges, (status) =>
      Effect.sync(() => {
        const was = connected
        connected = status === "connected"
        if (was && !connected) for (const listener of disconnects) listener()
      }),
    ),
  )
  yield* Effect.forkScoped(
    Effect.suspend(() => send(allNodes, "beat", currentHeartbeat())).pipe(
      Effect.andThen(sweep),
      Effect.schedule(Schedule.spaced(heartbeatInterval)),
    ),
  )
  // The first to be built is the last to go: whatever the node had to say has been said.
  yield* Effect.addFinalizer(() => send(allNodes, "bye", null))
  yield* hello

  const requestAll = <A>(
    to: ReadonlyArray<string>,
    kind: string,
    value: unknown,
    schema: Schema.Codec<A, unknown>,
    timeout: Duration.Duration,
  ) =>
    Effect.gen(function* () {
      if (to.length === 0) return { replies: [], unresponsive: [] }
      const decode = Schema.decodeUnknownOption(schema)
      const id = `${node}.${++count}`
      const waiting = new Set(to)
      const replies: Array<Reply<A>> = []
      const done = yield* Deferred.make<void>()
      const unresponsive: Array<string> = []
      const settle = (other: string, settled: () => void): void => {
        if (!waiting.delete(other)) return
        settled()
        if (waiting.size === 0) Deferred.doneUnsafe(done, Effect.void)
      }
      const onReply = (from: string, given: unknown) => {
        const decoded = decode(given)
        if (Option.isSome(decoded)) settle(from, () => replies.push({ node: from, value: decoded.value }))
      }
      const onNodeGone = (other: string) => settle(other, () => unresponsive.push(other))
      pendingRequests.set(id, { onReply, onNodeGone })
      const [only] = to
      const addressee = to.length === 1 && only !== undefined ? only : allNodes
      yield* send(addressee, kind, value, id).pipe(
        Effect.andThen(Effect.timeoutOption(Deferred.await(done), timeout)),
        Effect.ensuring(Effect.sync(() => pendingRequests.delete(id))),
      )
      return { replies, unresponsive: [...unresponsive, ...waiting] }
    })

  const cluster: Cluster["Service"] = {
    node,
    isClustered: true,
    otherNodes: () => [...nodes.keys()],
    isConnected: () => connected,
    send: (to, kind, value) => send(to, kind, value),
    on,
    request: (other, kind, value, schema, timeout = defaultTimeout) =>
      Effect.map(requestAll([other], kind, value, schema, timeout), ({ replies }) => replies[0]?.value),
    requestAll: (kind, value, schema) => requestAll([...nodes.keys()], kind, value, schema, defaultTimeout),
    onHeartbeat: (name, schema, value, onBeat) => {
      const decode = Schema.decodeUnknownOption(schema)
      const onValue = (from: string, given: unknown) => {
        const decoded = decode(given)
        if (Option.isSome(decoded)) onBeat(from, decoded.value)
      }
      return Effect.acquireRelease(
        Effect.sync(() => void heartbeatFields.set(name, { value, onValue })),
        () => Effect.sync(() => void heartbeatFields.delete(name)),
      )
    },
    onNodeChange: (listener) => addListener(nodeListeners, listener),
    onReconnect: (listener) => addListener(reconnects, listener),
    onDisconnect: (listener) => addListener(disconnects, listener),
  }
  return cluster
})
