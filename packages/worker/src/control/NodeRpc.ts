/**
 * Questions to every process of the installation: who answers registers by kind, who asks gathers what came within a
 * while. It rides on the bus's live channel: nothing is stored, and what a process does not hear it does not answer.
 *
 * Every process says that it is there when it starts and every few seconds after that, so an asker knows whom to wait
 * for: it stops waiting once all have answered, and names those that stayed silent. The process itself is asked without
 * the bus, so an answer of one's own comes also while the bus is away.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Clock, Context, Deferred, Duration, Effect, Layer, Option, Queue, Schema, type Scope } from "effect"
import { hostname } from "node:os"

/** A process, as the others know it. */
export const NodeDescriptor = Schema.Struct({
  /** Unique while it lives, and never used again. */
  node: Schema.String,
  host: Schema.String,
  pid: Schema.Int,
  /** What it runs: `media`, `realtime`, … */
  services: Schema.Array(Schema.String),
  version: Schema.String,
  /** Epoch milliseconds. */
  started_at: Schema.Finite,
})
export type NodeDescriptor = typeof NodeDescriptor.Type

/** A process that was there and is not any more. */
export interface DepartedNode {
  readonly descriptor: NodeDescriptor
  /** Epoch milliseconds. */
  readonly lastSeenAt: number
  /** It said that it ends; else it crashed, or is cut off. */
  readonly graceful: boolean
}

/** What can be asked; both sides share the constant. */
export interface Procedure<Q, A> {
  /** `[a-z-]+` */
  readonly kind: string
  readonly request: Schema.Codec<Q, unknown>
  readonly reply: Schema.Codec<A, unknown>
}

export interface Replies<A> {
  readonly replies: ReadonlyArray<{ readonly node: string; readonly value: A }>
  /** Processes that have an answerer, and whose answer failed, with its sentence. */
  readonly failures: ReadonlyArray<{ readonly node: string; readonly message: string }>
  /** Processes that are known and said nothing in time. */
  readonly unresponsive: ReadonlyArray<string>
}

export interface NodeRpcOptions {
  readonly services: ReadonlyArray<string>
  readonly version: string
  /** How long an asker waits for those it knows. Default 2 s. */
  readonly timeout?: Duration.Duration
}

export class NodeRpc extends Context.Service<
  NodeRpc,
  {
    readonly self: NodeDescriptor
    /** The processes heard of lately, this one first. */
    readonly nodes: Effect.Effect<ReadonlyArray<NodeDescriptor>>
    /** Those of the last day that are gone, as far as this process heard of them; the latest last. */
    readonly departed: Effect.Effect<ReadonlyArray<DepartedNode>>
    /** Answers this kind until the scope closes; a second answerer of a kind takes the place of the first. */
    readonly respond: <Q, A, E extends { readonly message: string }, R>(
      question: Procedure<Q, A>,
      answer: (question: Q) => Effect.Effect<A, E, R>,
    ) => Effect.Effect<void, never, Scope.Scope | R>
    /** Asks all, or only `node`. Processes without an answerer of this kind are left out. */
    readonly call: <Q, A>(question: Procedure<Q, A>, value: Q, node?: string) => Effect.Effect<Replies<A>>
  }
>()("@armoricore/worker/NodeRpc") {
  static readonly layer = (
    options: NodeRpcOptions,
  ): Layer.Layer<NodeRpc, TransientError | ConfigurationError, EventBus> => Layer.effect(NodeRpc, make(options))
}

const heartbeatInterval = Duration.seconds(5)
/** Two beats may be lost. */
const heartbeatTimeoutMillis = 16_000
/** Departed processes are remembered so long, and so many. */
const departedRetentionMillis = 86_400_000
const maxDeparted = 100
/** Messages that wait to be looked at; more than that is a flood. */
const inboxCapacity = 1_000

const Message = Schema.Union([
  Schema.TaggedStruct("Here", { info: NodeDescriptor, reply: Schema.Boolean }),
  Schema.TaggedStruct("Gone", { node: Schema.String }),
  Schema.TaggedStruct("Ask", {
    id: Schema.String,
    from: Schema.String,
    only: Schema.optionalKey(Schema.String),
    kind: Schema.String,
    /** JSON drops it where the question is nothing. */
    value: Schema.optional(Schema.Unknown),
  }),
  Schema.TaggedStruct("Answer", {
    id: Schema.String,
    to: Schema.String,
    from: Schema.String,
    result: Schema.Union([
      Schema.TaggedStruct("Value", { value: Schema.optional(Schema.Unknown) }),
      Schema.TaggedStruct("Failure", { message: Schema.String }),
      /** It has no answerer of this kind. */
      Schema.TaggedStruct("Nothing", {}),
    ]),
  }),
])
type Message = typeof Message.Type
type CallResult = Extract<Message, { readonly _tag: "Answer" }>["result"]

const address = Address.ephemeral("control")
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Message))
const encode = Schema.encodeSync(Schema.fromJsonString(Message))

type Responder = (value: unknown) => Effect.Effect<CallResult>

interface PendingCall {
  readonly results: Map<string, CallResult>
  readonly expected: ReadonlySet<string>
  readonly done: Deferred.Deferred<void>
}

const make = Effect.fnUntraced(function* (options: NodeRpcOptions) {
  const bus = yield* EventBus
  const timeout = options.timeout ?? Duration.seconds(2)
  const self: NodeDescriptor = {
    node: `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 4)}`,
    host: hostname(),
    pid: process.pid,
    services: options.services,
    version: options.version,
    started_at: yield* Clock.currentTimeMillis,
  }
  const peers = new Map<string, { readonly info: NodeDescriptor; readonly heardAt: number }>()
  const departed = new Map<string, DepartedNode>()
  const responders = new Map<string, Responder>()
  const pendingCalls = new Map<string, PendingCall>()
  const scope = yield* Effect.scope

  const send = (message: Message) =>
    bus
      .broadcast(address, new TextEncoder().encode(encode(message)))
      .pipe(Effect.catch((error) => Effect.logDebug(`the other processes were not reached: ${error.message}`)))

  const respondTo = (kind: string, value: unknown): Effect.Effect<CallResult> =>
    Effect.suspend(() => responders.get(kind)?.(value) ?? Effect.succeed<CallResult>({ _tag: "Nothing" }))

  const recordReply = (id: string, from: string, result: CallResult): void => {
    const open = pendingCalls.get(id)
    if (open === undefined) return
    open.results.set(from, result)
    for (const node of open.expected) if (!open.results.has(node)) return
    Deferred.doneUnsafe(open.done, Effect.void)
  }

  /** `at`: when it said so. */
  const markDeparted = (node: string, at?: number): void => {
    const known = peers.get(node)
    if (known === undefined) return
    peers.delete(node)
    departed.set(node, { descriptor: known.info, lastSeenAt: at ?? known.heardAt, graceful: at !== undefined })
    if (departed.size > maxDeparted) for (const oldest of departed.keys()) if (departed.delete(oldest)) break
  }

  const receive = (message: Message): Effect.Effect<void> =>
    Effect.gen(function* () {
      switch (message._tag) {
        case "Here": {
          if (message.info.node === self.node) return
          departed.delete(message.info.node)
          peers.set(message.info.node, { info: message.info, heardAt: yield* Clock.currentTimeMillis })
          if (message.reply) yield* send({ _tag: "Here", info: self, reply: false })
          return
        }
        case "Gone":
          return markDeparted(message.node, yield* Clock.currentTimeMillis)
        case "Answer":
          return message.to === self.node ? recordReply(message.id, message.from, message.result) : undefined
        case "Ask": {
          const { from, id, kind, only, value } = message
          if (from === self.node || (only !== undefined && only !== self.node)) return
          // Whoever takes long must not hold up the others' questions.
          const answering = Effect.flatMap(respondTo(kind, value), (result) =>
            send({ _tag: "Answer", id, to: from, from: self.node, result }),
          )
          yield* Effect.forkIn(answering, scope)
        }
      }
    })

  const inbox = yield* Effect.acquireRelease(Queue.dropping<Message>(inboxCapacity), Queue.shutdown)
  yield* bus.subscribe(address, ({ body }) =>
    Option.match(decode(new TextDecoder().decode(body)), {
      onNone: () => {},
      onSome: (message) => void Queue.offerUnsafe(inbox, message),
    }),
  )
  // Both end with the layer.
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(inbox), receive)))
  yield* send({ _tag: "Here", info: self, reply: true })
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.delay(
        Effect.suspend(() => send({ _tag: "Here", info: self, reply: false })),
        heartbeatInterval,
      ),
    ),
  )
  yield* Effect.addFinalizer(() => send({ _tag: "Gone", node: self.node }))

  const livePeers = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const [node, { heardAt }] of peers) if (now - heardAt > heartbeatTimeoutMillis) markDeparted(node)
    return [...peers.values()].map(({ info }) => info)
  })

  const callPeers = (open: PendingCall, id: string, kind: string, value: unknown, only: string | undefined) =>
    Effect.gen(function* () {
      if (open.expected.size === 0) return
      pendingCalls.set(id, open)
      const message: Message = {
        _tag: "Ask",
        id,
        from: self.node,
        kind,
        value,
        ...(only === undefined ? {} : { only }),
      }
      yield* send(message)
      yield* Effect.timeoutOption(Deferred.await(open.done), timeout)
    }).pipe(Effect.ensuring(Effect.sync(() => void pendingCalls.delete(id))))

  const service: NodeRpc["Service"] = {
    self,
    nodes: Effect.map(livePeers, (infos) => [self, ...infos]),
    departed: Effect.andThen(
      livePeers,
      Effect.map(Clock.currentTimeMillis, (now) =>
        [...departed.values()].filter(({ lastSeenAt }) => now - lastSeenAt < departedRetentionMillis),
      ),
    ),
    respond: (question, answer) =>
      Effect.gen(function* () {
        const context = yield* Effect.context<Effect.Services<ReturnType<typeof answer>>>()
        const read = Schema.decodeUnknownEffect(question.request)
        const write = Schema.encodeEffect(question.reply)
        const responder: Responder = (value) =>
          read(value).pipe(
            Effect.flatMap(answer),
            Effect.flatMap(write),
            Effect.match({
              onSuccess: (told): CallResult => ({ _tag: "Value", value: told }),
              onFailure: (error): CallResult => ({ _tag: "Failure", message: error.message }),
            }),
            Effect.provideContext(context),
          )
        yield* Effect.acquireRelease(
          Effect.sync(() => void responders.set(question.kind, responder)),
          () =>
            Effect.sync(() => {
              if (responders.get(question.kind) === responder) responders.delete(question.kind)
            }),
        )
      }),
    call: (question, value, only) =>
      Effect.gen(function* () {
        // It is ours; that it does not encode would be a fault of the caller.
        const encoded = yield* Effect.orDie(Schema.encodeEffect(question.request)(value))
        const known = (yield* livePeers).map(({ node }) => node)
        const expected = new Set(only === undefined ? known : known.filter((node) => node === only))
        const open: PendingCall = { results: new Map(), expected, done: Deferred.makeUnsafe() }
        const own = only === undefined || only === self.node ? respondTo(question.kind, encoded) : undefined
        const [mine] = yield* Effect.all(
          [own ?? Effect.undefined, callPeers(open, crypto.randomUUID(), question.kind, encoded, only)],
          { concurrency: "unbounded" },
        )
        if (mine !== undefined) open.results.set(self.node, mine)
        return yield* collectReplies(question, open)
      }),
  }
  return service
})

const collectReplies = Effect.fnUntraced(function* <Q, A>(
  question: Procedure<Q, A>,
  { expected, results }: PendingCall,
) {
  const read = Schema.decodeUnknownEffect(question.reply)
  const replies: Array<{ readonly node: string; readonly value: A }> = []
  const failures: Array<{ readonly node: string; readonly message: string }> = []
  for (const [node, result] of results) {
    if (result._tag === "Failure") failures.push({ node, message: result.message })
    if (result._tag !== "Value") continue
    const value = yield* Effect.result(read(result.value))
    if (value._tag === "Success") replies.push({ node, value: value.success })
    // Another version of the program answers otherwise.
    else failures.push({ node, message: `its answer cannot be read: ${value.failure.message}` })
  }
  return { replies, failures, unresponsive: [...expected].filter((node) => !results.has(node)) }
})
