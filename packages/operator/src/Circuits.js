/** The circuits of all processes, merged: each circuit is shown in the worst state that any process reports. */
import { NodeRpc } from "@armoricore/worker/control/NodeRpc";
import { CircuitRegistry } from "@armoricore/worker/control/CircuitRegistry";
import { Effect } from "effect";
import * as NodeRequests from "./NodeRequests.ts";
/** From best to worst. */
const severities = ["closed", "probing", "open", "waiting"];
export const mergeCircuits = (answers) => {
    const circuits = new Map();
    for (const { node, value } of answers) {
        for (const circuit of value) {
            const known = circuits.get(circuit.name);
            if (known === undefined)
                circuits.set(circuit.name, { ...circuit, nodes: [node] });
            else {
                const worse = severities.indexOf(circuit.status) > severities.indexOf(known.status) ? circuit : known;
                circuits.set(circuit.name, { ...worse, nodes: [...known.nodes, node] });
            }
        }
    }
    return circuits;
};
/** Includes paused circuits that no running process reports. */
export const list = Effect.gen(function* () {
    const nodeRpc = yield* NodeRpc;
    const registry = yield* CircuitRegistry;
    const { replies, unresponsive } = yield* nodeRpc.call(NodeRequests.circuits, undefined);
    const circuits = new Map(mergeCircuits(replies));
    for (const { by, name, reason, since } of registry.pauses()) {
        const known = circuits.get(name) ?? { name, status: "closed", failures: 0, nodes: [] };
        circuits.set(name, { ...known, paused: { by, reason, since } });
    }
    return { circuits: [...circuits.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), unresponsive };
});
