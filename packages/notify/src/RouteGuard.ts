/**
 * Whether a route may be called now: an operator's pause, a pause after a configuration fault, a circuit breaker against an outage, and a
 * limit of calls a second. One guard per route and process; what it refuses waits without using up a try.
 *
 *     closed ──`trip` outage failures in a row──▶ open ──its time is over──▶ one probe ──ok──▶ closed
 *                                                  ▲ twice as long           │ fails
 *                                                  └─────────────────────────┘
 *
 * A throttled call is no outage: the provider answers, and says when to come again. A route that reaches several
 * servers has a circuit for each.
 */
import { type ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { type CircuitState, Switchboard } from "@armoricore/worker/Switchboard"
import { Clock, Context, Duration, Effect, Random, type Scope } from "effect"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
import * as Metrics from "./NotifyMetrics.ts"
import { type Accepted, type Message, OutcomeUnknown, type Route, type RouteError } from "./Route.ts"

export interface GuardOptions {
  /** Outage failures in a row that open the circuit. */
  readonly trip: number
  /** How long it is open at first; doubles with each failed probe up to `openAtMost`. */
  readonly openFor: Duration.Duration
  readonly openAtMost: Duration.Duration
  /** How long a route with a configuration fault waits before one message tries again. */
  readonly pause: Duration.Duration
}
export const GuardOptions = Context.Reference<GuardOptions>("@armoricore/notify/GuardOptions", {
  defaultValue: () => ({
    trip: 5,
    openFor: Duration.seconds(1),
    openAtMost: Duration.seconds(30),
    pause: Duration.seconds(60),
  }),
})

/** The route cannot be called for so many milliseconds. */
export interface Closed {
  readonly _tag: "Closed"
  readonly why: "circuit_open" | "route_paused" | "rate_limited"
  readonly waitMillis: number
}

export interface RouteGuard {
  readonly route: Route
  /**
   * Runs `before`, then calls the route; or says why not and how long, and runs nothing. A failure that finds the
   * circuit open uses up no try of its message.
   */
  readonly attempt: <E, R>(
    message: Message,
    before: Effect.Effect<void, E, R>,
  ) => Effect.Effect<Accepted | Closed, CallError | E, R>
}

/** A configuration fault is no failure of the message: the route closes. */
export type CallError = Exclude<RouteError, ConfigurationError>

/** What a permit waits for at most; longer waits free the slot. */
const patienceMillis = 1_000
/** How soon a message asks again whether its route is still paused by an operator. */
const heldMillis = 15_000
const rememberedCircuits = 1_000

/** Epoch milliseconds; `openMillis` 0 is closed. */
interface Circuit {
  readonly key: string
  failures: number
  openUntil: number
  openMillis: number
  pausedUntil: number
  probing: boolean
}

export const make = Effect.fnUntraced(function* (route: Route): Effect.fn.Return<RouteGuard, never, Scope.Scope> {
  const board = yield* Switchboard
  const name = `route:${route.name}`
  const options = yield* GuardOptions
  const { callLimit } = yield* DeliveryPolicy
  const circuits = new Map<string, Circuit>()
  const gap = route.perSecond === undefined ? 0 : 1_000 / route.perSecond
  let nextCall = 0

  const circuitOf = (message: Message): Circuit => {
    const key = route.circuitOf?.(message) ?? ""
    const known = circuits.get(key)
    if (known !== undefined) return known
    const fresh = { key, failures: 0, openUntil: 0, openMillis: 0, pausedUntil: 0, probing: false }
    circuits.set(key, fresh)
    if (circuits.size > rememberedCircuits) for (const oldest of circuits.keys()) if (circuits.delete(oldest)) break
    return fresh
  }
  const named = ({ key }: Circuit) => (key === "" ? route.name : `${route.name} to ${key}`)

  const admit = (circuit: Circuit) =>
    Effect.gen(function* () {
      if (board.pauseOf(name) !== undefined) return yield* closed("route_paused", heldMillis)
      const now = yield* Clock.currentTimeMillis
      const { openMillis, openUntil, pausedUntil } = circuit
      if (pausedUntil > now) return yield* closed("route_paused", pausedUntil - now)
      if (openMillis > 0 || pausedUntil > 0) {
        const why = openMillis > 0 ? "circuit_open" : "route_paused"
        if (openUntil > now) return yield* closed(why, openUntil - now)
        if (circuit.probing) return yield* closed(why, patienceMillis)
        circuit.probing = true
        return { _tag: "Admitted", probe: true } as const
      }
      if (gap > 0) {
        const at = Math.max(now, nextCall)
        if (at - now > patienceMillis) return yield* closed("rate_limited", at - now)
        nextCall = at + gap
        if (at > now) yield* Effect.sleep(at - now)
      }
      return { _tag: "Admitted", probe: false } as const
    })

  const healthy = (circuit: Circuit) =>
    Effect.suspend(() => {
      circuit.failures = 0
      if (circuit.openMillis === 0 && circuit.pausedUntil === 0) return Effect.void
      circuit.openMillis = 0
      circuit.openUntil = 0
      circuit.pausedUntil = 0
      return Effect.andThen(
        Effect.logInfo(`the route ${named(circuit)} works again`, { route: route.name }),
        Effect.andThen(Metrics.set(Metrics.open, route.name, false), Metrics.set(Metrics.paused, route.name, false)),
      )
    })

  const outage = (circuit: Circuit, error: CallError, probe: boolean) =>
    Effect.gen(function* () {
      circuit.failures++
      // Calls that were under way when it opened say nothing new.
      if (!probe && (circuit.openMillis > 0 || circuit.failures < options.trip)) return
      const { openAtMost, openFor } = options
      circuit.openMillis =
        circuit.openMillis === 0
          ? Duration.toMillis(openFor)
          : Math.min(Duration.toMillis(openAtMost), circuit.openMillis * 2)
      circuit.openUntil = (yield* Clock.currentTimeMillis) + circuit.openMillis
      yield* Metrics.set(Metrics.open, route.name, true)
      yield* Effect.logWarning(
        `the route ${named(circuit)} is not called for ${circuit.openMillis} ms: ${error.message}`,
        { route: route.name },
      )
    })

  const pause = (circuit: Circuit, error: RouteError): Effect.Effect<Closed> =>
    Effect.gen(function* () {
      circuit.pausedUntil = (yield* Clock.currentTimeMillis) + Duration.toMillis(options.pause)
      yield* Metrics.set(Metrics.paused, route.name, true)
      yield* Effect.logError(`ALARM: the route ${named(circuit)} is paused, its messages wait: ${error.message}`, {
        route: route.name,
      })
      return yield* closed("route_paused", Duration.toMillis(options.pause))
    })

  const judge = (circuit: Circuit, error: CallError, probe: boolean): Effect.Effect<void> => {
    switch (error._tag) {
      case "OutcomeUnknown":
        return outage(circuit, error, probe)
      case "TransientError":
        return error.code === "throttled" ? healthy(circuit) : outage(circuit, error, probe)
      case "TargetDead":
      case "PermanentError":
        return healthy(circuit)
    }
  }

  const waitsOutage = ({ openMillis, openUntil }: Circuit, error: CallError): Effect.Effect<CallError> =>
    error._tag !== "TransientError" || error.code === "throttled" || openMillis === 0
      ? Effect.succeed(error)
      : Effect.map(Clock.currentTimeMillis, (now) => {
          const retryAfterMillis = Math.max(error.retryAfterMillis ?? 0, openUntil - now)
          const { code, dependency, message } = error
          return new TransientError({ dependency, code, message, waiting: true, retryAfterMillis })
        })

  const call = (circuit: Circuit, message: Message, probe: boolean) =>
    route.send(message).pipe(
      Effect.timeoutOrElse({
        duration: callLimit,
        orElse: () => Effect.fail(new OutcomeUnknown({ message: `no answer within ${Duration.format(callLimit)}` })),
      }),
      Effect.tap(() => healthy(circuit)),
      Effect.catch((error) =>
        error._tag === "ConfigurationError"
          ? pause(circuit, error)
          : Effect.andThen(judge(circuit, error, probe), Effect.flatMap(waitsOutage(circuit, error), Effect.fail)),
      ),
    )

  const reset = Effect.suspend(() => {
    for (const circuit of circuits.values()) {
      Object.assign(circuit, { failures: 0, openUntil: 0, openMillis: 0, pausedUntil: 0 })
    }
    return Effect.andThen(Metrics.set(Metrics.open, route.name, false), Metrics.set(Metrics.paused, route.name, false))
  })
  const state = Effect.map(Clock.currentTimeMillis, (now) => worstOf([...circuits.values()], now))
  yield* board.add({ name, state, reset })

  return {
    route,
    attempt: Effect.fnUntraced(function* (message, before) {
      const circuit = circuitOf(message)
      const permit = yield* admit(circuit)
      if (permit._tag === "Closed") return permit
      const run = Effect.andThen(before, call(circuit, message, permit.probe))
      if (!permit.probe) return yield* run
      // However a probe ends, the next may follow.
      return yield* Effect.ensuring(
        run,
        Effect.sync(() => {
          circuit.probing = false
        }),
      )
    }),
  }
})

/** Waiting messages come back spread out, not all in the same millisecond. */
const closed = (why: Closed["why"], waitMillis: number): Effect.Effect<Closed> =>
  Effect.map(Random.next, (random) => ({
    _tag: "Closed",
    why,
    waitMillis: Math.ceil(Math.max(50, waitMillis) * (1 + random / 4)),
  }))

/** A route is shown as its worst circuit is. */
const worstOf = (circuits: ReadonlyArray<Circuit>, now: number): CircuitState => {
  const failures = circuits.reduce((most, circuit) => Math.max(most, circuit.failures), 0)
  const waiting = circuits.find(({ pausedUntil }) => pausedUntil > now)
  if (waiting !== undefined) return { status: "waiting", failures, until: waiting.pausedUntil }
  const open = circuits.find(({ openMillis }) => openMillis > 0)
  if (open === undefined) return { status: "closed", failures }
  return open.openUntil > now ? { status: "open", failures, until: open.openUntil } : { status: "probing", failures }
}
