/** The circuit breakers of external calls: notification providers and the dependencies of handlers. */
import { Schema } from "effect";
export const CircuitStatus = Schema.Literals(["closed", "open", "probing", "waiting"]);
/** A circuit as one process reports it. */
export const NodeCircuit = Schema.Struct({
    name: Schema.String,
    status: CircuitStatus,
    failures: Schema.Finite,
    /** Epoch milliseconds. */
    until: Schema.optionalKey(Schema.Finite),
});
export const Circuit = Schema.Struct({
    /** `provider:fcm`, `dependency:webhook`, … */
    name: Schema.String,
    /**
     * The worst state of all processes: `open` rejects calls, `probing` (half open) allows one, `waiting` is
     * misconfigured.
     */
    status: CircuitStatus,
    failures: Schema.Finite,
    until: Schema.optionalKey(Schema.Finite),
    /** The processes that have it. */
    nodes: Schema.Array(Schema.String),
    /** An operator's pause: no calls until it is resumed. */
    paused: Schema.optionalKey(Schema.Struct({ by: Schema.String, reason: Schema.String, since: Schema.Finite })),
});
export const CircuitName = Schema.String.check(Schema.isPattern(/^(provider|dependency):[A-Za-z0-9_.-]{1,100}$/u, {
    expected: "the name of a circuit as it is listed, for example provider:fcm",
}));
