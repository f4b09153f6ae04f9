/**
 * Object storage as workers see it where it is somebody else's server: a circuit breaker stands before every read. A job
 * begins with reading, so while the storage is away jobs go back to the bus untried, and use up no try.
 *
 * Writes are not held back: whoever has encoded something waits for the storage rather than throw the work away.
 */
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import { Effect, Layer } from "effect"

/** As operators see it. */
export const circuitName = "storage"

export const layer: Layer.Layer<ObjectStorage, never, ObjectStorage | CircuitBreakers> = Layer.effect(
  ObjectStorage,
  Effect.gen(function* () {
    const storage = yield* ObjectStorage
    const withCircuitBreaker = (yield* CircuitBreakers).withCircuitBreaker(circuitName)
    return ObjectStorage.of({
      ...storage,
      get: (ref, range) => withCircuitBreaker(storage.get(ref, range)),
      head: (ref) => withCircuitBreaker(storage.head(ref)),
    })
  }),
)
