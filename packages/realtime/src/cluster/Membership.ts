/** The {@link Cluster} over the bus's live channel: `cluster.all` is heard by all nodes, `cluster.to.<node>` by one. */
import * as Address from "@armoricore/bus/Address"
import { EventBus, type LiveMessage } from "@armoricore/bus/EventBus"
import { Clock, Deferred, Duration, Effect, Option, Schedule, Schema, Stream } from "effect"
import * as Elapsed from "../Elapsed.ts"
import { type Answer, type Cluster, type ClusterOptions, everybody, type Heard, type NodeChange } from "./Cluster.ts"
import { pack, Unpacker } from "./Parcels.ts"

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

const Beats = Schema.Record(Schema.String, Schema.Unknown)
const Nothing = Schema.Unknown

/** Said in the name of a node by whoever saw its process end. */
const died = "died"

/** How long others may take to answer. */
const patience = Duration.seconds(2)

interface Question {
  readonly take: (node: string, value: unknown) => void
  /** The node is gone and answers no more. */
  readonly giveUp: (node: string) => void
}

interface Beat {
  readonly value: () => unknown
  readonly heard: (node: string, value: unknown) => void
}

/** Tells the others that this node's process ended, so that they need not wait until they miss it. */
export const sayDied = (node: string) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    yield* bus.broadcast(Address.live("cluster.all"), Buffer.from(JSON.stringify({ from: node, kind: died })))
  })

export const make = Effect.fnUntraced(function* (node: string, options: ClusterOptions) {
  const bus = yield* EventBus
  const clock = yield* Clock.Clock
  const heartbeat = options.heartbeat ?? Duration.seconds(5)
  const lostMillis = Duration.toMillis(options.lostAfter ?? Duration.seconds(15))
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const handlers = new Map<string, (from: string, value: unknown, answer: (value: unknown) => void) => void>()
  const beats = new Map<string, Beat>()
  const questions = new Map<string, Question>()
  const listeners = new Set<(change: NodeChange, node: string) => void>()
  const reconnects = new Set<() => void>()
  const disconnects = new Set<() => void>()
  /** When each was heard last. */
  const nodes = new Map<string, number>()
  /** Those that said `bye`, or that died: what of theirs comes late brings them back no more. */
  const departed = new Map<string, number>()
  /** Whatever is said to all comes back: a node that does not hear itself is the one that is cut off. */
  let heardMyselfAt = Elapsed.millis(clock)
  const unpacker = new Unpacker()
  let connected = (yield* bus.status) === "connected"
  let count = 0

  const change = (kind: NodeChange, other: string) => {
    if (kind !== "came") for (const question of questions.values()) question.giveUp(other)
    for (const listener of listeners) listener(kind, other)
  }

  const send = (to: string, kind: string, value: unknown, id?: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!connected) return Effect.void
      const address = Address.live(to === everybody ? "cluster.all" : `cluster.to.${to}`)
      const text = JSON.stringify({ from: node, kind, ...(id === undefined ? {} : { id }), value })
      const parcels = pack(`${node}.${++count}`, text)
      return Effect.forEach(parcels, (parcel) => bus.broadcast(address, parcel), { discard: true })
    }).pipe(Effect.catch((error) => Effect.logDebug(`${kind} to other nodes was not sent`, error)))

  const beatsNow = () => Object.fromEntries(Array.from(beats, ([name, { value }]) => [name, value()]))

  const noteBeats = (from: string, values: Readonly<Record<string, unknown>>) => {
    for (const [name, value] of Object.entries(values)) beats.get(name)?.heard(from, value)
  }

  const hear = ({ body }: LiveMessage): void => {
    const text = unpacker.take(body)
    const message = text === undefined ? Option.none() : decodeEnvelope(text)
    if (Option.isNone(message)) return
    const { from, kind, id, value } = message.value
    if (from === node) heardMyselfAt = Elapsed.millis(clock)
    if (from === node || departed.has(from)) return
    const isNew = !nodes.has(from)
    // Nobody knew it, and nobody needs to any more.
    if (isNew && (kind === "bye" || kind === died)) return void departed.set(from, Elapsed.millis(clock))
    nodes.set(from, Elapsed.millis(clock))
    if (isNew) change("came", from)
    if (kind === "answer") return id === undefined ? undefined : questions.get(id)?.take(from, value)
    handlers.get(kind)?.(from, value, (answer) => {
      if (id !== undefined) run(send(from, "answer", answer, id))
    })
  }

  const on: Cluster["Service"]["on"] = <A>(
    kind: string,
    schema: Schema.Codec<A, unknown>,
    onHeard: (heard: Heard<A>) => void,
  ) => {
    const decode = Schema.decodeUnknownOption(schema)
    const handler = (from: string, value: unknown, answer: (value: unknown) => void) =>
      Option.match(decode(value), {
        // Another version of this program: the nodes of a rolling update need not understand each other's every word.
        onNone: () => void run(Effect.logDebug(`${kind} of node ${from} cannot be read`)),
        onSome: (decoded) => onHeard({ from, value: decoded, answer }),
      })
    return Effect.acquireRelease(
      Effect.sync(() => void handlers.set(kind, handler)),
      () => Effect.sync(() => void handlers.delete(kind)),
    )
  }

  const listening = <A>(all: Set<A>, listener: A) =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => all.add(listener)),
        () => Effect.sync(() => all.delete(listener)),
      ),
    )

  const gone = (kind: "left" | "lost", other: string): void => {
    departed.set(other, Elapsed.millis(clock))
    if (nodes.delete(other)) change(kind, other)
  }

  let sweptAt = Elapsed.millis(clock)
  const sweep = Effect.sync(() => {
    const now = Elapsed.millis(clock)
    // This process itself stood still: what the others said meanwhile still waits to be heard.
    const stood = now - sweptAt - Duration.toMillis(heartbeat)
    sweptAt = now
    const isDeaf = now - heardMyselfAt > 1.5 * Duration.toMillis(heartbeat)
    for (const [other, at] of nodes) {
      if (stood > Duration.toMillis(heartbeat)) nodes.set(other, now)
      else if (now - at >= lostMillis) {
        nodes.delete(other)
        change(isDeaf ? "unheard" : "lost", other)
      }
    }
    for (const [other, at] of departed) if (now - at >= 4 * lostMillis) departed.delete(other)
  })

  const hello = Effect.suspend(() => send(everybody, "hello", beatsNow()))
  yield* on("hello", Beats, ({ from, value }) => {
    noteBeats(from, value)
    run(send(from, "beat", beatsNow()))
  })
  yield* on("beat", Beats, ({ from, value }) => noteBeats(from, value))
  yield* on("bye", Nothing, ({ from }) => gone("left", from))
  yield* on(died, Nothing, ({ from }) => gone("lost", from))

  yield* bus.listen(Address.live(`cluster.to.${node}`), hear)
  yield* bus.listen(Address.live("cluster.all"), hear, () => {
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
    Effect.suspend(() => send(everybody, "beat", beatsNow())).pipe(
      Effect.andThen(sweep),
      Effect.schedule(Schedule.spaced(heartbeat)),
    ),
  )
  // The first to be built is the last to go: whatever the node had to say has been said.
  yield* Effect.addFinalizer(() => send(everybody, "bye", null))
  yield* hello

  const gather = <A>(
    to: ReadonlyArray<string>,
    kind: string,
    value: unknown,
    schema: Schema.Codec<A, unknown>,
    timeout: Duration.Duration,
  ) =>
    Effect.gen(function* () {
      if (to.length === 0) return { answers: [], silent: [] }
      const decode = Schema.decodeUnknownOption(schema)
      const id = `${node}.${++count}`
      const waiting = new Set(to)
      const answers: Array<Answer<A>> = []
      const done = yield* Deferred.make<void>()
      const silent: Array<string> = []
      const settle = (other: string, settled: () => void): void => {
        if (!waiting.delete(other)) return
        settled()
        if (waiting.size === 0) Deferred.doneUnsafe(done, Effect.void)
      }
      const take = (from: string, given: unknown) => {
        const decoded = decode(given)
        if (Option.isSome(decoded)) settle(from, () => answers.push({ node: from, value: decoded.value }))
      }
      const giveUp = (other: string) => settle(other, () => silent.push(other))
      questions.set(id, { take, giveUp })
      const [only] = to
      const addressee = to.length === 1 && only !== undefined ? only : everybody
      yield* send(addressee, kind, value, id).pipe(
        Effect.andThen(Effect.timeoutOption(Deferred.await(done), timeout)),
        Effect.ensuring(Effect.sync(() => questions.delete(id))),
      )
      return { answers, silent: [...silent, ...waiting] }
    })

  const cluster: Cluster["Service"] = {
    node,
    isShared: true,
    others: () => [...nodes.keys()],
    isConnected: () => connected,
    tell: (to, kind, value) => send(to, kind, value),
    on,
    ask: (other, kind, value, schema, timeout = patience) =>
      Effect.map(gather([other], kind, value, schema, timeout), ({ answers }) => answers[0]?.value),
    gather: (kind, value, schema) => gather([...nodes.keys()], kind, value, schema, patience),
    onBeat: (name, schema, value, onBeat) => {
      const decode = Schema.decodeUnknownOption(schema)
      const heard = (from: string, given: unknown) => {
        const decoded = decode(given)
        if (Option.isSome(decoded)) onBeat(from, decoded.value)
      }
      return Effect.acquireRelease(
        Effect.sync(() => void beats.set(name, { value, heard })),
        () => Effect.sync(() => void beats.delete(name)),
      )
    },
    onNode: (listener) => listening(listeners, listener),
    onReconnect: (listener) => listening(reconnects, listener),
    onDisconnect: (listener) => listening(disconnects, listener),
  }
  return cluster
})
