/**
 * A circuit breaker for reads of remote object storage. Jobs begin with a read, so during an outage they return to the
 * bus without an attempt. Writes are not guarded: after an expensive encode a worker waits for the storage instead of
 * losing its output.
 */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers";
import { Effect, Layer } from "effect";
/** The name in the operator API and in metrics. */
export const circuitName = "storage";
export const layer = Layer.effect(ObjectStorage, Effect.gen(function* () {
    const storage = yield* ObjectStorage;
    const withCircuitBreaker = (yield* CircuitBreakers).withCircuitBreaker(circuitName);
    return ObjectStorage.of({
        ...storage,
        get: (ref, range) => withCircuitBreaker(storage.get(ref, range)),
        head: (ref) => withCircuitBreaker(storage.head(ref)),
    });
}));
