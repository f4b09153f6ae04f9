/**
 * What this process calls outside, and the switches before it: notification routes and the dependencies of handlers
 * tell here whether they are called, and ask here whether an operator has paused them. Without the Layer nothing is
 * kept and nothing is paused.
 *
 * A pause is kept in the state until somebody resumes, so that it outlives restarts and holds for processes that start
 * later; it is said on the bus, so that the others hold at once, and read again whenever something may have been missed.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Clock, Context, Effect, Layer, Option, Queue, Schedule, Schema, type Scope } from "effect"

export interface CircuitState {
  /** `waiting`: closed by itself after a fault of configuration, until the next try. */
  readonly status: "closed" | "open" | "probing" | "waiting"
  /** Failures in a row. */
  readonly failures: number
  /** When it is tried again, epoch milliseconds; absent while it is closed. */
  readonly until?: number
}

export interface Circuit {
  /** As a pause names it: `provider:fcm`, `dependency:speech`. */
  readonly name: string
  readonly state: Effect.Effect<CircuitState>
  /** Forgets what was learned of failures: the next call is made at once. */
  readonly reset: Effect.Effect<void>
}

/** Why something is not called although nothing is wrong with it. */
export const Pause = Schema.Struct({
  name: Schema.String,
  /** The operator. */
  by: Schema.String,
  reason: Schema.String,
  /** Epoch milliseconds. */
  since: Schema.Finite,
})
export type Pause = typeof Pause.Type

export interface CircuitRegistry {
  /** Known until the scope closes. */
  readonly register: (circuit: Circuit) => Effect.Effect<void, never, Scope.Scope>
  readonly circuits: () => ReadonlyArray<Circuit>
  readonly pauseOf: (name: string) => Pause | undefined
  readonly pauses: () => ReadonlyArray<Pause>
  /** Held from when it returns here, and everywhere else as soon as it is heard. */
  readonly pause: (pause: Omit<Pause, "since">) => Effect.Effect<void, StateError>
  /** False: it was not paused. */
  readonly resume: (name: string) => Effect.Effect<boolean, StateError | Conflict>
}

export const CircuitRegistry = Context.Reference<CircuitRegistry>("@armoricore/worker/CircuitRegistry", {
  defaultValue: () => ({
    register: () => Effect.void,
    circuits: () => [],
    pauseOf: () => undefined,
    pauses: () => [],
    pause: () => Effect.void,
    resume: () => Effect.succeed(false),
  }),
})

export const pauses: Collection.Descriptor<Pause, typeof Pause.Encoded> = {
  bucket: { name: "pauses", maxAge: "never" },
  schema: Pause,
}

/** While the bus is away, pauses are looked at this often. */
const refreshInterval = "30 seconds"
const pageSize = 1_000

const address = Address.ephemeral("pauses")

export const layer: Layer.Layer<never, TransientError | ConfigurationError, EventBus | KeyValue> = Layer.effect(
  CircuitRegistry,
  Effect.gen(function* () {
    const bus = yield* EventBus
    const stored = yield* Collection.make(pauses)
    const circuits = new Set<Circuit>()
    let paused: ReadonlyMap<string, Pause> = new Map()

    const load = Effect.map(stored.list({ limit: pageSize }), (documents) => {
      paused = new Map(documents.map(({ value }) => [value.name, value]))
    })
    const changes = yield* Effect.acquireRelease(Queue.sliding<true>(1), Queue.shutdown)
    const changed = () => void Queue.offerUnsafe(changes, true)
    yield* bus.subscribe(address, changed, changed)
    // Listening first: what is paused while the state is read is heard. The bucket may not be made yet.
    changed()
    const next = Effect.timeoutOption(Queue.take(changes), refreshInterval)
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          next,
          load.pipe(
            Effect.tapError((error) => Effect.logDebug(`pauses cannot be read: ${error.message}`)),
            Effect.retry({ times: 5, schedule: Schedule.exponential("100 millis") }),
            Effect.catch((error) => Effect.logWarning(`pauses cannot be read; the last known hold: ${error.message}`)),
          ),
        ),
      ),
    )

    const notifyPeers = Effect.ignore(bus.broadcast(address, new Uint8Array()))

    return {
      register: (circuit) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => void circuits.add(circuit)),
            () => Effect.sync(() => void circuits.delete(circuit)),
          ),
        ),
      circuits: () => [...circuits],
      pauseOf: (name) => paused.get(name),
      pauses: () => [...paused.values()],
      pause: Effect.fnUntraced(function* (given) {
        const pause: Pause = { ...given, since: yield* Clock.currentTimeMillis }
        yield* stored.put(pause.name, pause)
        paused = new Map(paused).set(pause.name, pause)
        yield* notifyPeers
      }),
      resume: Effect.fnUntraced(function* (name) {
        const was = yield* stored.get(name)
        yield* stored.remove(name)
        const left = new Map(paused)
        left.delete(name)
        paused = left
        yield* notifyPeers
        return Option.isSome(was)
      }),
    }
  }),
)
