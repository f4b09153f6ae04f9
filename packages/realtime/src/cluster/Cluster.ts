/**
 * The other nodes of realtime: who is there, and how to speak with them. Nodes are equal and know each other by what they
 * say on the bus's live channel: a heartbeat every few seconds, `hello` when they come, `bye` when they go. Nothing is
 * stored, and a node that starts again has a new name.
 *
 * Messages may be lost, so whoever relies on one repeats it or notices that it is missing; every heartbeat carries what
 * parts of the service put into it (their versions), which is how they notice. Messages of one node arrive in order.
 *
 * `layerAlone` is for a node that shares with nobody: it costs nothing.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { EventBus } from "@armoricore/bus/EventBus"
import { Context, type Duration, Effect, Layer, type Schema, type Scope } from "effect"
import { make } from "./Membership.ts"

/** A value that JSON can carry, and its Schema on both sides. */
export type MessageSchema<A> = Schema.Codec<A, unknown>

export interface ClusterMessage<A> {
  /** The node that said it. */
  readonly from: string
  readonly value: A
  /** For what was asked: call it once, now or later. */
  readonly reply: (value: unknown) => void
}

export interface Reply<A> {
  readonly node: string
  readonly value: A
}

export type NodeChange =
  | "came"
  /** It said so. */
  | "left"
  /** It was not heard for too long. */
  | "lost"
  /** Neither was it heard for too long, nor this node by itself: it is this one that is cut off. */
  | "unheard"

export class Cluster extends Context.Service<
  Cluster,
  {
    /** This node's name, `[a-z0-9]+`, new with each start. */
    readonly node: string
    /** False: there are no other nodes and never will be. */
    readonly isClustered: boolean
    /** Live nodes besides this one. */
    readonly otherNodes: () => ReadonlyArray<string>
    /** False while the bus is away: then nobody is heard. */
    readonly isConnected: () => boolean
    /** To one node, or to all others. Lost while the bus is away. */
    readonly send: (to: string | typeof allNodes, kind: string, value: unknown) => Effect.Effect<void>
    /** Hears messages of this kind until the scope closes. `onHeard` must not block or throw. */
    readonly on: <A>(
      kind: string,
      schema: MessageSchema<A>,
      onMessage: (heard: ClusterMessage<A>) => void,
    ) => Effect.Effect<void, never, Scope.Scope>
    /** What one node answers; `undefined`: it did not in time, or is gone. */
    readonly request: <A>(
      node: string,
      kind: string,
      value: unknown,
      schema: MessageSchema<A>,
      timeout?: Duration.Duration,
    ) => Effect.Effect<A | undefined>
    /** What all other nodes answer; `silent` are those that did not in time. */
    readonly requestAll: <A>(
      kind: string,
      value: unknown,
      schema: MessageSchema<A>,
    ) => Effect.Effect<{ readonly replies: ReadonlyArray<Reply<A>>; readonly unresponsive: ReadonlyArray<string> }>
    /** Every heartbeat of this node carries `value()` under this name, and hands that of the others to `onBeat`. */
    readonly onHeartbeat: <A>(
      name: string,
      schema: MessageSchema<A>,
      value: () => A,
      onBeat: (node: string, value: A) => void,
    ) => Effect.Effect<void, never, Scope.Scope>
    readonly onNodeChange: (
      listener: (change: NodeChange, node: string) => void,
    ) => Effect.Effect<void, never, Scope.Scope>
    /** The bus was lost and is back: what passed meanwhile was missed. */
    readonly onReconnect: (listener: () => void) => Effect.Effect<void, never, Scope.Scope>
    /** The bus was lost. */
    readonly onDisconnect: (listener: () => void) => Effect.Effect<void, never, Scope.Scope>
  }
>()("@armoricore/realtime/Cluster") {
  static readonly layerSingleNode: Layer.Layer<Cluster> = Layer.sync(Cluster, () => ({
    node: newNodeName(),
    isClustered: false,
    otherNodes: () => [],
    isConnected: () => true,
    send: () => Effect.void,
    on: () => Effect.void,
    request: () => Effect.succeed(undefined),
    requestAll: () => Effect.succeed({ replies: [], unresponsive: [] }),
    onHeartbeat: () => Effect.void,
    onNodeChange: () => Effect.void,
    onReconnect: () => Effect.void,
    onDisconnect: () => Effect.void,
  }))

  /** Over the bus's live channel. */
  static readonly layer = (
    options: ClusterOptions = {},
  ): Layer.Layer<Cluster, TransientError | ConfigurationError, EventBus> =>
    Layer.effect(
      Cluster,
      Effect.suspend(() => make(newNodeName(), options)),
    )
}

/** As an addressee: all other nodes. */
export const allNodes = "*"

export interface ClusterOptions {
  /** Default 5 s. */
  readonly heartbeatInterval?: Duration.Duration
  /** A node that was not heard for so long is gone. Default 15 s. */
  readonly nodeTimeout?: Duration.Duration
}

const newNodeName = (): string => crypto.randomUUID().replaceAll("-", "").slice(0, 12)
