import * as ClusterMembership from "@armoricore/worker/control/ClusterMembership";
import { Context, Effect, Layer } from "effect";
export { allNodes } from "@armoricore/worker/control/ClusterMembership";
const group = "cluster";
export class Cluster extends Context.Service()("@armoricore/realtime/Cluster") {
    static layerSingleNode = Layer.sync(Cluster, () => ({
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
    }));
    /** Over the bus's ephemeral channel. */
    static layer = (options = {}) => Layer.effect(Cluster, Effect.gen(function* () {
        // Named here and not in the layer's arguments: every build of the layer is another node.
        const membership = yield* ClusterMembership.make({ ...options, group, node: newNodeName() });
        return { ...membership, isClustered: true };
    }));
}
/** Reports that the process of this node ended. */
export const announceDown = (node) => ClusterMembership.announceDown(group, node);
/** `[a-z0-9]+`, since presence refs and long-poll tokens contain it between dots. */
const newNodeName = () => crypto.randomUUID().replaceAll("-", "").slice(0, 12);
