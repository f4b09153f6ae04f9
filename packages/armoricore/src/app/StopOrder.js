/**
 * The order in which a running program stops. Each part of the program starts in one stage; a stage stops completely
 * before the next one begins. The order does not depend on the order in which the parts start.
 */
import { Effect, Exit, Layer, Scope } from "effect";
export const stages = [
    /** `/readyz` answers 503 and the pool of processes accepts no more connections. */
    "readiness",
    /** Consumers fetch no more messages and finish those in progress; clients still receive their results. */
    "workers",
    /** The operator API finishes its calls. */
    "operator",
    /** This process leaves the cluster of nodes. */
    "control",
    /** The sockets are closed with the code for a restart. */
    "sockets",
    /** Requests in progress get their responses; the port is freed. */
    "listener",
    /** The processes of the pool have ended. */
    "pool",
    /** Bus, state and storage are disconnected. */
    "ports",
];
/** When the surrounding scope closes, all stages stop in the order of the list, also after one that dies. */
export const make = Effect.gen(function* () {
    const scopes = {
        readiness: yield* Scope.make(),
        workers: yield* Scope.make(),
        operator: yield* Scope.make(),
        control: yield* Scope.make(),
        sockets: yield* Scope.make(),
        listener: yield* Scope.make(),
        pool: yield* Scope.make(),
        ports: yield* Scope.make(),
    };
    yield* Effect.addFinalizer((exit) => Effect.flatMap(Effect.forEach(stages, (stage) => Effect.exit(Scope.close(scopes[stage], exit))), Exit.asVoidAll));
    return {
        within: (stage) => Scope.provide(scopes[stage]),
        build: (stage, layer) => Scope.provide(Layer.build(layer), scopes[stage]),
    };
});
