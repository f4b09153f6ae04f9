/**
 * The other nodes of the realtime service, and messages to them: the {@link ClusterMembership} of the group `cluster`.
 * `layerSingleNode` is for a node without others; it uses no bus and no timers.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { EventBus } from "@armoricore/bus/EventBus"
import * as ClusterMembership from "@armoricore/worker/control/ClusterMembership"
import { Context, Effect, Layer } from "effect"

export { allNodes, type MessageSchema, type NodeChange } from "@armoricore/worker/control/ClusterMembership"
export type ClusterOptions = ClusterMembership.HeartbeatOptions

const group = "cluster"

export class Cluster extends Context.Service<
  Cluster,
  ClusterMembership.ClusterMembership & {
    /** False: this node is the only one for its whole life. */
    readonly isClustered: boolean
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

  /** Over the bus's ephemeral channel. */
  static readonly layer = (
    options: ClusterOptions = {},
  ): Layer.Layer<Cluster, TransientError | ConfigurationError, EventBus> =>
    Layer.effect(
      Cluster,
      Effect.gen(function* () {
        // Named here and not in the layer's arguments: every build of the layer is another node.
        const membership = yield* ClusterMembership.make({ ...options, group, node: newNodeName() })
        return { ...membership, isClustered: true }
      }),
    )
}

/** Reports that the process of this node ended. */
export const announceDown = (node: string) => ClusterMembership.announceDown(group, node)

/** `[a-z0-9]+`, since presence refs and long-poll tokens contain it between dots. */
const newNodeName = (): string => crypto.randomUUID().replaceAll("-", "").slice(0, 12)
