/**
 * Whether a route may be called now: an operator's pause, a pause after a configuration fault, a circuit breaker
 * against an outage, and limits of calls a second and at once. One guard per route and process; what it refuses waits
 * without using up a try.
 *
 *     closed ──`trip` outage failures in a row──▶ open ──its time is over──▶ one probe ──ok──▶ closed
 *                                                  ▲ twice as long           │ fails
 *                                                  └─────────────────────────┘
 *
 * A throttled call is no outage: the provider answers, and says when to come again. A route that reaches several
 * servers has a circuit for each.
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { type CircuitState, Switchboard } from "@armoricore/worker/Switchboard"
import { Cause, Clock, Context, Duration, Effect, Exit, Fiber, Option, Random, type Scope, Semaphore } from "effect"
import * as Barred from "./Barred.ts"
import * as CallLimit from "./CallLimit.ts"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
import * as Metrics from "./NotifyMetrics.ts"
import { noLaterThan } from "./Patience.ts"
import {
  type Accepted,
  type KindUnreachable,
  type Message,
  OutcomeUnknown,
  type Route,
  type RouteError,
  type TargetForeign,
} from "./Route.ts"

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

/** It may be called, after so long a wait. */
export interface Permit {
  readonly _tag: "Permit"
  readonly probe: boolean
  readonly delayMillis: number
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
  /**
   * The same without `before`, for many calls at once: `settled` hears the end unless what is returned ends the call
   * first. Reads no fiber but `context`.
   */
  readonly start: (context: Context.Context<never>, message: Message, settled: Settled) => Effect.Effect<void>
  /** How long the route cannot be called, whatever the message; undefined where it may. */
  readonly shut: (now: number) => Closed | undefined
}

export type Settled = (end: Exit.Exit<Accepted | Closed, CallError>) => void

/** A configuration fault is no failure of the message: the route closes, for all or for some kind of target. */
export type CallError = Exclude<RouteError, ConfigurationError | TargetForeign | KindUnreachable>

/** What a permit waits for at most; longer waits free the slot. */
const patienceMillis = 1_000
/** How soon a message asks again whether its route is still paused by an operator. */
const heldMillis = 15_000
const rememberedCircuits = 1_000
/** After so many foreign targets in a row it is our settings that changed, however well the route worked before. */
const mostForeign = 50

/** Epoch milliseconds; `openMillis` 0 is closed. */
interface Circuit {
  readonly key: string
  failures: number
  openUntil: number
  openMillis: number
  pausedUntil: number
  probing: boolean
  /** Foreign targets since the provider took a message; undefined before the first that it took. */
  foreign: number | undefined
}

export const make = Effect.fnUntraced(function* (route: Route): Effect.fn.Return<RouteGuard, never, Scope.Scope> {
  const board = yield* Switchboard
  const name = `route:${route.name}`
  const options = yield* GuardOptions
  const { callLimit, patience } = yield* DeliveryPolicy
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const limit = yield* CallLimit.make(callLimit)
  const circuits = new Map<string, Circuit>()
  const gap = route.perSecond === undefined ? 0 : 1_000 / route.perSecond
  const places = route.atOnce === undefined ? undefined : Semaphore.makeUnsafe(route.atOnce)
  let nextCall = 0
  const barred = Barred.make(route.name, options.pause, clock)

  /** Waiting messages come back spread out, not all in the same millisecond. */
  const closed = (why: Closed["why"], waitMillis: number): Closed => ({
    _tag: "Closed",
    why,
    waitMillis: Math.ceil(Math.max(50, waitMillis) * (1 + random.nextDoubleUnsafe() / 4)),
  })

  const circuitOf = (message: Message): Circuit => {
    const key = route.circuitOf?.(message) ?? ""
    const known = circuits.get(key)
    if (known !== undefined) return known
    const fresh = { key, failures: 0, openUntil: 0, openMillis: 0, pausedUntil: 0, probing: false, foreign: undefined }
    circuits.set(key, fresh)
    if (circuits.size > rememberedCircuits) for (const oldest of circuits.keys()) if (circuits.delete(oldest)) break
    return fresh
  }
  const named = ({ key }: Circuit) => (key === "" ? route.name : `${route.name} to ${key}`)

  const admit = (circuit: Circuit): Permit | Closed => {
    if (board.pauseOf(name) !== undefined) return closed("route_paused", heldMillis)
    const now = clock.currentTimeMillisUnsafe()
    const { openMillis, openUntil, pausedUntil } = circuit
    if (pausedUntil > now) return closed("route_paused", pausedUntil - now)
    if (openMillis > 0 || pausedUntil > 0) {
      const why = openMillis > 0 ? "circuit_open" : "route_paused"
      if (openUntil > now) return closed(why, openUntil - now)
      if (circuit.probing) return closed(why, patienceMillis)
      circuit.probing = true
      return probing
    }
    if (gap === 0) return permitted
    const at = Math.max(now, nextCall)
    if (at - now > patienceMillis) return closed("rate_limited", at - now)
    nextCall = at + gap
    return at > now ? { ...permitted, delayMillis: at - now } : permitted
  }

  const healthy = (circuit: Circuit): Effect.Effect<void> | undefined => {
    circuit.failures = 0
    if (circuit.openMillis === 0 && circuit.pausedUntil === 0) return undefined
    circuit.openMillis = 0
    circuit.openUntil = 0
    circuit.pausedUntil = 0
    return Effect.andThen(
      Effect.logInfo(`the route ${named(circuit)} works again`, { route: route.name }),
      Effect.andThen(Metrics.set(Metrics.open, route.name, false), Metrics.set(Metrics.paused, route.name, false)),
    )
  }

  const outage = (circuit: Circuit, error: CallError, probe: boolean): Effect.Effect<void> | undefined => {
    circuit.failures++
    // Calls that were under way when it opened say nothing new.
    if (!probe && (circuit.openMillis > 0 || circuit.failures < options.trip)) return undefined
    const { openAtMost, openFor } = options
    circuit.openMillis =
      circuit.openMillis === 0
        ? Duration.toMillis(openFor)
        : Math.min(Duration.toMillis(openAtMost), circuit.openMillis * 2)
    circuit.openUntil = clock.currentTimeMillisUnsafe() + circuit.openMillis
    return Effect.andThen(
      Metrics.set(Metrics.open, route.name, true),
      Effect.logWarning(`the route ${named(circuit)} is not called for ${circuit.openMillis} ms: ${error.message}`, {
        route: route.name,
      }),
    )
  }

  /** Its own fault where others are reached, else that of our settings. */
  const ofForeign = (circuit: Circuit, { message, reason, setting }: TargetForeign) => {
    if (circuit.foreign === undefined || ++circuit.foreign > mostForeign) {
      return new ConfigurationError({ setting, message: `${setting} does not fit: ${message}` })
    }
    return new PermanentError({ code: reason, message })
  }

  const pause = (circuit: Circuit, error: ConfigurationError): Effect.Effect<void> => {
    circuit.pausedUntil = clock.currentTimeMillisUnsafe() + Duration.toMillis(options.pause)
    return Effect.andThen(
      Metrics.set(Metrics.paused, route.name, true),
      Effect.logError(`ALARM: the route ${named(circuit)} is paused, its messages wait: ${error.message}`, {
        route: route.name,
      }),
    )
  }

  const judge = (circuit: Circuit, error: CallError, probe: boolean): Effect.Effect<void> | undefined => {
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

  const waitsOutage = ({ openMillis, openUntil }: Circuit, error: CallError): CallError => {
    if (error._tag !== "TransientError" || error.code === "throttled" || openMillis === 0) return error
    const retryAfterMillis = Math.max(error.retryAfterMillis ?? 0, openUntil - clock.currentTimeMillisUnsafe())
    const { code, dependency, message } = error
    return new TransientError({ dependency, code, message, waiting: true, retryAfterMillis })
  }

  /** What a call's end means for the circuit, which is told in the log where it changes. */
  const conclude = (
    context: Context.Context<never>,
    circuit: Circuit,
    probe: boolean,
    exit: Exit.Exit<Accepted, RouteError>,
    isLate: boolean,
  ): Exit.Exit<Accepted | Closed, CallError> => {
    if (probe) circuit.probing = false
    const say = (change: Effect.Effect<void> | undefined) => {
      if (change !== undefined) Effect.runForkWith(context)(change)
    }
    if (Exit.isSuccess(exit)) {
      circuit.foreign = 0
      say(healthy(circuit))
      say(barred.review())
      return Exit.succeed(exit.value)
    }
    const found = isLate
      ? Option.some(new OutcomeUnknown({ message: `no answer within ${Duration.format(callLimit)}` }))
      : Cause.findErrorOption(exit.cause)
    // A defect of the route, or an interruption: the message's own affair. Neither holds an error.
    if (Option.isNone(found)) return Exit.failCause(Cause.map(exit.cause, unreachable))
    const error = found.value._tag === "TargetForeign" ? ofForeign(circuit, found.value) : found.value
    if (error._tag === "ConfigurationError") {
      say(pause(circuit, error))
      return Exit.succeed(closed("route_paused", Duration.toMillis(options.pause)))
    }
    if (error._tag === "KindUnreachable") {
      say(healthy(circuit))
      say(barred.add(error))
      return Exit.succeed(closed("route_paused", Duration.toMillis(options.pause)))
    }
    say(judge(circuit, error, probe))
    return Exit.fail(waitsOutage(circuit, noLaterThan(error, Duration.toMillis(patience))))
  }

  const begin = (
    context: Context.Context<never>,
    circuit: Circuit,
    message: Message,
    { probe }: Permit,
    settled: Settled,
  ) =>
    limit.start(context, route.send(message), (exit, isLate) =>
      settled(conclude(context, circuit, probe, exit, isLate)),
    )

  const called = (circuit: Circuit, message: Message, permit: Permit) =>
    Effect.withFiber<Accepted | Closed, CallError>((fiber) =>
      Effect.callback((resume) => begin(fiber.context, circuit, message, permit, resume)),
    )

  const attempt: RouteGuard["attempt"] = (message, before) =>
    Effect.suspend(() => {
      const circuit = circuitOf(message)
      const permit = admit(circuit)
      if (permit._tag === "Closed") return Effect.succeed(permit)
      const run = Effect.andThen(before, called(circuit, message, permit))
      const timely = permit.delayMillis === 0 ? run : Effect.delay(run, permit.delayMillis)
      if (!permit.probe) return timely
      // However a probe ends, the next may follow.
      return Effect.ensuring(
        timely,
        Effect.sync(() => {
          circuit.probing = false
        }),
      )
    })

  const reset = Effect.suspend(() => {
    for (const circuit of circuits.values()) {
      Object.assign(circuit, { failures: 0, openUntil: 0, openMillis: 0, pausedUntil: 0 })
    }
    const shown = Effect.andThen(
      Metrics.set(Metrics.open, route.name, false),
      Metrics.set(Metrics.paused, route.name, false),
    )
    return Effect.andThen(shown, barred.reset)
  })
  const state = Effect.map(Clock.currentTimeMillis, (now) => worstOf([...circuits.values()], now))
  yield* board.add({ name, state, reset })

  return {
    route,
    attempt: places === undefined ? attempt : (message, before) => places.withPermits(1)(attempt(message, before)),
    start: (context, message, settled) => {
      const circuit = circuitOf(message)
      const permit = admit(circuit)
      if (permit._tag === "Closed") {
        settled(Exit.succeed(permit))
        return Effect.void
      }
      if (permit.delayMillis === 0) return begin(context, circuit, message, permit, settled)
      const later = Effect.delay(called(circuit, message, permit), permit.delayMillis)
      const fiber = Effect.runForkWith(context)(later)
      fiber.addObserver(settled)
      return Fiber.interrupt(fiber)
    },
    shut: (now) => {
      if (board.pauseOf(name) !== undefined) return closed("route_paused", heldMillis)
      const circuit = circuits.get("")
      if (circuit === undefined) return undefined
      const left = Math.max(circuit.pausedUntil, circuit.openUntil) - now
      return left > 0 ? closed(circuit.pausedUntil > now ? "route_paused" : "circuit_open", left) : undefined
    },
  }
})

const permitted: Permit = { _tag: "Permit", probe: false, delayMillis: 0 }
const probing: Permit = { _tag: "Permit", probe: true, delayMillis: 0 }

const unreachable = (error: unknown): never => {
  throw new Error("a cause without an error had one", { cause: error })
}

/** A route is shown as its worst circuit is. */
const worstOf = (circuits: ReadonlyArray<Circuit>, now: number): CircuitState => {
  const failures = circuits.reduce((most, circuit) => Math.max(most, circuit.failures), 0)
  const waiting = circuits.find(({ pausedUntil }) => pausedUntil > now)
  if (waiting !== undefined) return { status: "waiting", failures, until: waiting.pausedUntil }
  const open = circuits.find(({ openMillis }) => openMillis > 0)
  if (open === undefined) return { status: "closed", failures }
  return open.openUntil > now ? { status: "open", failures, until: open.openUntil } : { status: "probing", failures }
}
