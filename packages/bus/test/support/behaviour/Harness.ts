/** Tests of a bus that is empty, and what they publish and consume with. */
import { it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Logger, Queue, Scope } from "effect"
import * as Address from "../../../src/Address.ts"
import { type ConsumerOptions, type Delivery, type Disposition, EventBus } from "../../../src/EventBus.ts"

export type Bus = EventBus["Service"]

export const bytes = (text: string) => new TextEncoder().encode(text)
export const text = (body: Uint8Array) => new TextDecoder().decode(body)
export const ready = Address.event("media.ready")
export const ack: Disposition = { _tag: "Ack" }
export const acked = Effect.succeed(ack)
export const retry = (after: Duration.Input): Disposition => ({ _tag: "Retry", after: Duration.fromInputUnsafe(after) })

let lastId = 0
export const send = (bus: Bus, body: string, address: Address.StoredAddress = ready, id = `id-${++lastId}`) =>
  bus.publish({ address, id, body: bytes(body), headers: { "Armoricore-Test": body } })

/** Many of these tests do what is logged as an error. */
const quiet = Logger.layer([])

export const options = (more: Partial<ConsumerOptions> = {}): ConsumerOptions => ({
  name: "worker",
  from: ready,
  concurrency: 4,
  ackWait: Duration.millis(1_500),
  ...more,
})

/** Consumes into a queue and acknowledges. */
export const collect = Effect.fnUntraced(function* (bus: Bus, more: Partial<ConsumerOptions> = {}) {
  const got = yield* Queue.unbounded<Delivery>()
  const consumer = yield* bus.consume(options(more), (delivery) => Effect.as(Queue.offer(got, delivery), ack))
  return { got, consumer, next: Effect.timeout(Queue.take(got), "20 seconds") }
})

export interface SuiteOptions<E> {
  /** One empty bus; built twice in a scope it is the same bus, seen from two processes. */
  readonly open: Effect.Effect<Effect.Effect<Layer.Layer<EventBus, E>>, never, Scope.Scope>
  /** Two layers can share one bus. */
  readonly shared: boolean
  /** Features that the broker lacks, each with the reason, which appears in the names of the tests. */
  readonly lacks?: {
    /** It stores a second message with the same id. */
    readonly dedup?: string
    /** A new consumer name reads from its creation on, not from the beginning; `aside` reads a message stored elsewhere. */
    readonly history?: { readonly reason: string; readonly readParked: Effect.Effect<string, unknown, Scope.Scope> }
    /** Messages that are with handlers of other processes are not counted. */
    readonly inFlightElsewhere?: string
  }
}

interface Process {
  readonly bus: Bus
  readonly close: Effect.Effect<void>
}

/** Declares the tests of one topic of the suite. */
export interface BehaviourTests extends Pick<SuiteOptions<never>, "shared"> {
  readonly lacks: NonNullable<SuiteOptions<never>["lacks"]>
  /** A test on an empty bus. */
  readonly test: (name: string, body: (bus: Bus) => Effect.Effect<unknown, unknown, Scope.Scope>) => void
  /** A test of two processes on one empty bus; left out where an adapter cannot share one. */
  readonly testShared: (
    name: string,
    body: (first: Process, second: Process) => Effect.Effect<unknown, unknown, Scope.Scope>,
  ) => void
}

/** The part of a test's name about a feature that the broker lacks. */
export const missing = (reason: string | undefined, what: string) =>
  reason === undefined ? "" : ` [${what}: ${reason}]`

export const makeTests = <E>(suite: SuiteOptions<E>): BehaviourTests => {
  const connect = Effect.fnUntraced(function* (layer: Layer.Layer<EventBus, E>) {
    const scope = yield* Effect.acquireRelease(Scope.make(), (made) => Scope.close(made, Exit.void))
    const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
    return { bus: yield* Effect.provide(EventBus, context), close: Scope.close(scope, Exit.void) }
  })
  return {
    lacks: suite.lacks ?? {},
    shared: suite.shared,
    test: (name, body) =>
      it.live(name, () =>
        Effect.gen(function* () {
          const layer = yield* yield* suite.open
          yield* body((yield* connect(layer)).bus)
        }).pipe(Effect.provide(quiet)),
      ),
    testShared: (name, body) => {
      // An adapter in one process's memory has no second process to share with.
      if (!suite.shared) return
      it.live(name, () =>
        Effect.gen(function* () {
          const open = yield* suite.open
          const first = yield* connect(yield* open)
          yield* body(first, yield* connect(yield* open))
        }).pipe(Effect.provide(quiet)),
      )
    },
  }
}
