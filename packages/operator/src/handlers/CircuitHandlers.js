/** Circuits and log levels, changed in every process. */
import { NodeRpc } from "@armoricore/worker/control/NodeRpc";
import { CircuitRegistry } from "@armoricore/worker/control/CircuitRegistry";
import { Effect } from "effect";
import { ActionRejected } from "../api/Errors.ts";
import * as Circuits from "../Circuits.ts";
import * as NodeRequests from "../NodeRequests.ts";
import { Caller } from "../OperatorApi.ts";
import { mapErrors } from "./Errors.ts";
export const make = Effect.gen(function* () {
    const nodeRpc = yield* NodeRpc;
    const circuitRegistry = yield* CircuitRegistry;
    const listCircuits = Effect.provideService(Circuits.list, NodeRpc, nodeRpc);
    return {
        ListCircuits: () => listCircuits,
        PauseCircuit: ({ name, reason }) => Effect.flatMap(Caller, ({ userId }) => mapErrors(circuitRegistry.pause({ name, by: userId, reason }))),
        ResumeCircuit: ({ name }) => mapErrors(Effect.gen(function* () {
            const wasPaused = yield* circuitRegistry.resume(name);
            const { replies } = yield* nodeRpc.call(NodeRequests.resetCircuit, name);
            if (wasPaused || replies.some(({ value }) => value))
                return;
            return yield* new ActionRejected({
                code: "not_found",
                message: `no process knows ${name}, and it was not paused`,
            });
        })),
        SetLogLevel: ({ level, node }) => Effect.gen(function* () {
            const { replies, unresponsive } = yield* nodeRpc.call(NodeRequests.setLogLevel, level, node);
            if (replies.length > 0)
                return { nodes: replies.map((answer) => answer.node), unresponsive };
            return yield* new ActionRejected({
                code: "not_found",
                message: node === undefined ? "no process answered" : `no process ${node} answered`,
            });
        }),
    };
});
