/**
 * Scatter–gather RPC to every process of the installation, over the {@link ClusterMembership} of the group `control`: at
 * most once, with a timeout. A process registers a responder for each procedure; a caller collects the replies and learns
 * which processes did not respond. The caller's own process is called without the bus, so its reply arrives also while the
 * bus is disconnected.
 */
import type { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Clock, Context, Duration, Effect, FiberSet, Layer, Schema, type Scope } from "effect"
import { hostname } from "node:os"
import * as ClusterMembership from "./ClusterMembership.ts"

/** A process, as the others know it. */
export const NodeDescriptor = Schema.Struct({
  /** Unique, and never reused. */
  node: Schema.String,
  host: Schema.String,
  pid: Schema.Int,
  /** The services that it runs: `media`, `realtime`, … */
  services: Schema.Array(Schema.String),
  version: Schema.String,
  /** Epoch milliseconds. */
  started_at: Schema.Finite,
})
export type NodeDescriptor = typeof NodeDescriptor.Type

/** A process that was live and is gone. */
export interface DepartedNode {
  readonly descriptor: NodeDescriptor
  /** Epoch milliseconds. */
  readonly lastSeenAt: number
  /** True: it announced its end. False: it crashed, or is cut off. */
  readonly graceful: boolean
}

/** Caller and responder share the constant. */
export interface Procedure<Q, A> {
  /** `[a-z-]+` */
  readonly kind: string
  readonly request: Schema.Codec<Q, unknown>
  readonly reply: Schema.Codec<A, unknown>
}

export interface Replies<A> {
  readonly replies: ReadonlyArray<ClusterMembership.Reply<A>>
  /** Processes whose responder failed, with the error's message. */
  readonly failures: ReadonlyArray<{ readonly node: string; readonly message: string }>
  /** Live processes that did not reply in time. */
  readonly unresponsive: ReadonlyArray<string>
}

export interface NodeRpcOptions {
  readonly services: ReadonlyArray<string>
  readonly version: string
  /** How long a call waits for the live processes. Default 2 s. */
  readonly timeout?: Duration.Duration
}

export class NodeRpc extends Context.Service<
  NodeRpc,
  {
    readonly self: NodeDescriptor
    /** The live processes, this one first. */
    readonly nodes: Effect.Effect<ReadonlyArray<NodeDescriptor>>
    /** Processes that departed during the last day, as far as this process noticed; the latest last. */
    readonly departed: Effect.Effect<ReadonlyArray<DepartedNode>>
    /** Responds to this procedure until the scope closes; a second responder replaces the first. */
    readonly respond: <Q, A, E extends { readonly message: string }, R>(
      procedure: Procedure<Q, A>,
      respond: (request: Q) => Effect.Effect<A, E, R>,
    ) => Effect.Effect<void, never, Scope.Scope | R>
    /** Calls every process, or only `node`. The result leaves out processes without a responder for this procedure. */
    readonly call: <Q, A>(procedure: Procedure<Q, A>, request: Q, node?: string) => Effect.Effect<Replies<A>>
  }
>()("@armoricore/worker/NodeRpc") {
  static readonly layer = (
    options: NodeRpcOptions,
  ): Layer.Layer<NodeRpc, TransientError | ConfigurationError, EventBus> => Layer.effect(NodeRpc, make(options))
}

/** Group of the membership; every role of the installation is in it. */
const group = "control"
const departedRetentionMillis = 86_400_000
const maxDeparted = 100

const callKind = "call"
const Call = Schema.Struct({
  procedure: Schema.String,
  /** Absent where the request is `void`: JSON drops it. */
  value: Schema.optional(Schema.Unknown),
})
const CallResult = Schema.Union([
  Schema.TaggedStruct("Success", { value: Schema.optional(Schema.Unknown) }),
  Schema.TaggedStruct("Failure", { message: Schema.String }),
  Schema.TaggedStruct("NoResponder", {}),
])
type CallResult = typeof CallResult.Type

type Responder = (value: unknown) => Effect.Effect<CallResult>

const make = Effect.fnUntraced(function* (options: NodeRpcOptions) {
  const timeout = options.timeout ?? Duration.seconds(2)
  const self: NodeDescriptor = {
    node: `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 4)}`,
    host: hostname(),
    pid: process.pid,
    services: options.services,
    version: options.version,
    started_at: yield* Clock.currentTimeMillis,
  }
  const directory = makeDirectory(yield* Clock.Clock)
  const membership = yield* ClusterMembership.make({
    group,
    node: self.node,
    heartbeatFields: {
      descriptor: ClusterMembership.heartbeatField(NodeDescriptor, () => self, directory.recordDescriptor),
    },
  })
  yield* membership.onNodeChange(directory.recordChange)
  const responders = new Map<string, Responder>()
  const fork = yield* FiberSet.makeRuntime<never, void>()

  const respondTo = (procedure: string, value: unknown): Effect.Effect<CallResult> =>
    Effect.suspend(() => responders.get(procedure)?.(value) ?? Effect.succeed<CallResult>({ _tag: "NoResponder" }))

  // Each call runs in its own fiber, so that a slow responder does not delay the others.
  yield* membership.on(callKind, Call, ({ value: { procedure, value }, reply }) => {
    fork(Effect.map(respondTo(procedure, value), reply))
  })

  const service: NodeRpc["Service"] = {
    self,
    nodes: Effect.sync(() => [self, ...directory.live()]),
    departed: Effect.map(Clock.currentTimeMillis, (now) =>
      directory.departed().filter(({ lastSeenAt }) => now - lastSeenAt < departedRetentionMillis),
    ),
    // Untraced: a span of the registration would be in the captured context, and so the parent of every later reply.
    respond: Effect.fnUntraced(function* (procedure, respond) {
      const context = yield* Effect.context<Effect.Services<ReturnType<typeof respond>>>()
      const responder = makeResponder(procedure, (request) => Effect.provideContext(respond(request), context))
      yield* Effect.acquireRelease(
        Effect.sync(() => void responders.set(procedure.kind, responder)),
        () =>
          Effect.sync(() => {
            if (responders.get(procedure.kind) === responder) responders.delete(procedure.kind)
          }),
      )
    }),
    call: Effect.fn("NodeRpc.call")(function* (procedure, request, only) {
      // The request is this process's own value: if it does not encode, the caller has a bug.
      const value = yield* Effect.orDie(Schema.encodeEffect(procedure.request)(request))
      const others = membership.otherNodes()
      const nodes = only === undefined ? others : others.filter((node) => node === only)
      const [remote, own] = yield* Effect.all(
        [
          membership.requestAll(callKind, { procedure: procedure.kind, value }, CallResult, { nodes, timeout }),
          only === undefined || only === self.node ? respondTo(procedure.kind, value) : Effect.undefined,
        ],
        { concurrency: "unbounded" },
      )
      const results = own === undefined ? remote.replies : [...remote.replies, { node: self.node, value: own }]
      return { ...(yield* decodeResults(procedure, results)), unresponsive: remote.unresponsive }
    }),
  }
  return service
})

/** Descriptors of the live processes, from their heartbeats, and of the departed ones. */
const makeDirectory = (clock: Clock.Clock) => {
  const live = new Map<string, { readonly descriptor: NodeDescriptor; readonly lastSeenAt: number }>()
  const departed = new Map<string, DepartedNode>()
  return {
    live: (): ReadonlyArray<NodeDescriptor> => Array.from(live.values(), ({ descriptor }) => descriptor),
    departed: (): ReadonlyArray<DepartedNode> => [...departed.values()],
    recordDescriptor: (node: string, descriptor: NodeDescriptor): void => {
      departed.delete(node)
      live.set(node, { descriptor, lastSeenAt: clock.currentTimeMillisUnsafe() })
    },
    recordChange: (change: ClusterMembership.NodeChange, node: string): void => {
      const peer = live.get(node)
      if (change === "joined" || peer === undefined) return
      live.delete(node)
      const graceful = change === "left"
      departed.set(node, { ...peer, graceful, ...(graceful ? { lastSeenAt: clock.currentTimeMillisUnsafe() } : {}) })
      const [oldest] = departed.keys()
      if (departed.size > maxDeparted && oldest !== undefined) departed.delete(oldest)
    },
  }
}

const makeResponder = <Q, A, E extends { readonly message: string }>(
  procedure: Procedure<Q, A>,
  respond: (request: Q) => Effect.Effect<A, E>,
): Responder => {
  const decode = Schema.decodeUnknownEffect(procedure.request)
  const encode = Schema.encodeEffect(procedure.reply)
  return (value) =>
    decode(value).pipe(
      Effect.flatMap(respond),
      Effect.flatMap(encode),
      Effect.match({
        onSuccess: (encoded): CallResult => ({ _tag: "Success", value: encoded }),
        onFailure: (error): CallResult => ({ _tag: "Failure", message: error.message }),
      }),
    )
}

const decodeResults = Effect.fnUntraced(function* <Q, A>(
  procedure: Procedure<Q, A>,
  results: ReadonlyArray<ClusterMembership.Reply<CallResult>>,
) {
  const decode = Schema.decodeUnknownEffect(procedure.reply)
  const replies: Array<ClusterMembership.Reply<A>> = []
  const failures: Array<{ readonly node: string; readonly message: string }> = []
  for (const { node, value: result } of results) {
    if (result._tag === "Failure") failures.push({ node, message: result.message })
    if (result._tag !== "Success") continue
    const value = yield* Effect.result(decode(result.value))
    if (value._tag === "Success") replies.push({ node, value: value.success })
    // During a rolling update, another version may reply in another format.
    else failures.push({ node, message: `unknown reply format: ${value.failure.message}` })
  }
  return { replies, failures }
})
