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
import { type CircuitState, CircuitRegistry } from "@armoricore/worker/control/CircuitRegistry"
import { Cause, Clock, Context, Duration, Effect, Exit, Fiber, Option, Random, type Scope, Semaphore } from "effect"
import * as MisconfiguredKinds from "./MisconfiguredKinds.ts"
import * as SharedTimeout from "./SharedTimeout.ts"
import { DeliveryPolicy } from "../delivery/DeliveryPolicy.ts"
import * as Metrics from "../NotifyMetrics.ts"
import { capRetryAfter } from "./RetryAfterCap.ts"
import {
  type Accepted,
  type TargetKindMisconfigured,
  type Message,
  UnknownOutcome,
  type Provider,
  type ProviderError,
  type SenderMismatch,
} from "./Provider.ts"

export interface CircuitOptions {
  /** Outage failures in a row that open the circuit. */
  readonly failureThreshold: number
  /** How long it is open at first; doubles with each failed probe up to `openAtMost`. */
  readonly initialOpenDuration: Duration.Duration
  readonly maxOpenDuration: Duration.Duration
  /** How long a route with a configuration fault waits before one message tries again. */
  readonly misconfigurationDelay: Duration.Duration
}
export const CircuitOptions = Context.Reference<CircuitOptions>("@armoricore/notify/CircuitOptions", {
  defaultValue: () => ({
    failureThreshold: 5,
    initialOpenDuration: Duration.seconds(1),
    maxOpenDuration: Duration.seconds(30),
    misconfigurationDelay: Duration.seconds(60),
  }),
})

/** The route cannot be called for so many milliseconds. */
export interface Unavailable {
  readonly _tag: "Closed"
  readonly reason: "circuit_open" | "route_paused" | "rate_limited"
  readonly waitMillis: number
}

/** It may be called, after so long a wait. */
export interface Permit {
  readonly _tag: "Permit"
  readonly isHalfOpen: boolean
  readonly delayMillis: number
}

export interface ProviderCircuit {
  readonly provider: Provider
  /**
   * Runs `before`, then calls the route; or says why not and how long, and runs nothing. A failure that finds the
   * circuit open uses up no try of its message.
   */
  readonly attempt: <E, R>(
    message: Message,
    before: Effect.Effect<void, E, R>,
  ) => Effect.Effect<Accepted | Unavailable, CallError | E, R>
  /**
   * The same without `before`, for many calls at once: `settled` hears the end unless what is returned ends the call
   * first. Reads no fiber but `context`.
   */
  readonly start: (context: Context.Context<never>, message: Message, settled: OnSettled) => Effect.Effect<void>
  /** How long the route cannot be called, whatever the message; undefined where it may. */
  readonly unavailability: (now: number) => Unavailable | undefined
}

export type OnSettled = (end: Exit.Exit<Accepted | Unavailable, CallError>) => void

/** A configuration fault is no failure of the message: the route closes, for all or for some kind of target. */
export type CallError = Exclude<ProviderError, ConfigurationError | SenderMismatch | TargetKindMisconfigured>

/** What a permit waits for at most; longer waits free the slot. */
const maxPermitWaitMillis = 1_000
/** How soon a message asks again whether its route is still paused by an operator. */
const operatorPauseRecheckMillis = 15_000
const maxCircuits = 1_000
/** After so many foreign targets in a row it is our settings that changed, however well the route worked before. */
const maxSenderMismatches = 50

/** Epoch milliseconds; `openMillis` 0 is closed. */
interface Circuit {
  readonly key: string
  failures: number
  openUntil: number
  openMillis: number
  pausedUntil: number
  halfOpenCallRunning: boolean
  /** Foreign targets since the provider took a message; undefined before the first that it took. */
  senderMismatches: number | undefined
}

export const make = Effect.fnUntraced(function* (
  provider: Provider,
): Effect.fn.Return<ProviderCircuit, never, Scope.Scope> {
  const registry = yield* CircuitRegistry
  const name = `route:${provider.name}`
  const options = yield* CircuitOptions
  const { callTimeout, maxProviderWait } = yield* DeliveryPolicy
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const callTimer = yield* SharedTimeout.make(callTimeout)
  const circuits = new Map<string, Circuit>()
  const minIntervalMillis = provider.maxPerSecond === undefined ? 0 : 1_000 / provider.maxPerSecond
  const concurrencyLimit =
    provider.maxConcurrent === undefined ? undefined : Semaphore.makeUnsafe(provider.maxConcurrent)
  let nextCall = 0
  const misconfiguredKinds = MisconfiguredKinds.make(provider.name, options.misconfigurationDelay, clock)

  /** Waiting messages come back spread out, not all in the same millisecond. */
  const unavailable = (reason: Unavailable["reason"], waitMillis: number): Unavailable => ({
    _tag: "Closed",
    reason,
    waitMillis: Math.ceil(Math.max(50, waitMillis) * (1 + random.nextDoubleUnsafe() / 4)),
  })

  const circuitOf = (message: Message): Circuit => {
    const key = provider.circuitKey?.(message) ?? ""
    const known = circuits.get(key)
    if (known !== undefined) return known
    const fresh = {
      key,
      failures: 0,
      openUntil: 0,
      openMillis: 0,
      pausedUntil: 0,
      halfOpenCallRunning: false,
      senderMismatches: undefined,
    }
    circuits.set(key, fresh)
    if (circuits.size > maxCircuits) for (const oldest of circuits.keys()) if (circuits.delete(oldest)) break
    return fresh
  }
  const displayName = ({ key }: Circuit) => (key === "" ? provider.name : `${provider.name} to ${key}`)

  const admit = (circuit: Circuit): Permit | Unavailable => {
    if (registry.pauseOf(name) !== undefined) return unavailable("route_paused", operatorPauseRecheckMillis)
    const now = clock.currentTimeMillisUnsafe()
    const { openMillis, openUntil, pausedUntil } = circuit
    if (pausedUntil > now) return unavailable("route_paused", pausedUntil - now)
    if (openMillis > 0 || pausedUntil > 0) {
      const why = openMillis > 0 ? "circuit_open" : "route_paused"
      if (openUntil > now) return unavailable(why, openUntil - now)
      if (circuit.halfOpenCallRunning) return unavailable(why, maxPermitWaitMillis)
      circuit.halfOpenCallRunning = true
      return halfOpenPermit
    }
    if (minIntervalMillis === 0) return immediatePermit
    const at = Math.max(now, nextCall)
    if (at - now > maxPermitWaitMillis) return unavailable("rate_limited", at - now)
    nextCall = at + minIntervalMillis
    return at > now ? { ...immediatePermit, delayMillis: at - now } : immediatePermit
  }

  const recordSuccess = (circuit: Circuit): Effect.Effect<void> | undefined => {
    circuit.failures = 0
    if (circuit.openMillis === 0 && circuit.pausedUntil === 0) return undefined
    circuit.openMillis = 0
    circuit.openUntil = 0
    circuit.pausedUntil = 0
    return Effect.andThen(
      Effect.logInfo(`the route ${displayName(circuit)} works again`, { route: provider.name }),
      Effect.andThen(
        Metrics.setGauge(Metrics.circuitOpen, provider.name, false),
        Metrics.setGauge(Metrics.providerPaused, provider.name, false),
      ),
    )
  }

  const recordOutage = (circuit: Circuit, error: CallError, isHalfOpen: boolean): Effect.Effect<void> | undefined => {
    circuit.failures++
    // Calls that were under way when it opened say nothing new.
    if (!isHalfOpen && (circuit.openMillis > 0 || circuit.failures < options.failureThreshold)) return undefined
    const { maxOpenDuration, initialOpenDuration } = options
    circuit.openMillis =
      circuit.openMillis === 0
        ? Duration.toMillis(initialOpenDuration)
        : Math.min(Duration.toMillis(maxOpenDuration), circuit.openMillis * 2)
    circuit.openUntil = clock.currentTimeMillisUnsafe() + circuit.openMillis
    return Effect.andThen(
      Metrics.setGauge(Metrics.circuitOpen, provider.name, true),
      Effect.logWarning(
        `the route ${displayName(circuit)} is not called for ${circuit.openMillis} ms: ${error.message}`,
        {
          route: provider.name,
        },
      ),
    )
  }

  /** Its own fault where others are reached, else that of our settings. */
  const fromSenderMismatch = (circuit: Circuit, { message, reason, setting }: SenderMismatch) => {
    if (circuit.senderMismatches === undefined || ++circuit.senderMismatches > maxSenderMismatches) {
      return new ConfigurationError({ setting, message: `${setting} does not fit: ${message}` })
    }
    return new PermanentError({ code: reason, message })
  }

  const pauseCircuit = (circuit: Circuit, error: ConfigurationError): Effect.Effect<void> => {
    circuit.pausedUntil = clock.currentTimeMillisUnsafe() + Duration.toMillis(options.misconfigurationDelay)
    return Effect.andThen(
      Metrics.setGauge(Metrics.providerPaused, provider.name, true),
      Effect.logError(`ALARM: the route ${displayName(circuit)} is paused, its messages wait: ${error.message}`, {
        route: provider.name,
      }),
    )
  }

  const recordError = (circuit: Circuit, error: CallError, isHalfOpen: boolean): Effect.Effect<void> | undefined => {
    switch (error._tag) {
      case "UnknownOutcome":
        return recordOutage(circuit, error, isHalfOpen)
      case "TransientError":
        return error.code === "throttled" ? recordSuccess(circuit) : recordOutage(circuit, error, isHalfOpen)
      case "InvalidTarget":
      case "PermanentError":
        return recordSuccess(circuit)
    }
  }

  const untilCircuitCloses = ({ openMillis, openUntil }: Circuit, error: CallError): CallError => {
    if (error._tag !== "TransientError" || error.code === "throttled" || openMillis === 0) return error
    const retryAfterMillis = Math.max(error.retryAfterMillis ?? 0, openUntil - clock.currentTimeMillisUnsafe())
    const { code, dependency, message } = error
    return new TransientError({ dependency, code, message, countsAsAttempt: false, retryAfterMillis })
  }

  /** What a call's end means for the circuit, which is told in the log where it changes. */
  const settle = (
    context: Context.Context<never>,
    circuit: Circuit,
    isHalfOpen: boolean,
    exit: Exit.Exit<Accepted, ProviderError>,
    timedOut: boolean,
  ): Exit.Exit<Accepted | Unavailable, CallError> => {
    if (isHalfOpen) circuit.halfOpenCallRunning = false
    const log = (change: Effect.Effect<void> | undefined) => {
      if (change !== undefined) Effect.runForkWith(context)(change)
    }
    if (Exit.isSuccess(exit)) {
      circuit.senderMismatches = 0
      log(recordSuccess(circuit))
      log(misconfiguredKinds.expire())
      return Exit.succeed(exit.value)
    }
    const failure = timedOut
      ? Option.some(new UnknownOutcome({ message: `no answer within ${Duration.format(callTimeout)}` }))
      : Cause.findErrorOption(exit.cause)
    // A defect of the route, or an interruption: the message's own affair. Neither holds an error.
    if (Option.isNone(failure)) return Exit.failCause(Cause.map(exit.cause, unreachable))
    const error = failure.value._tag === "SenderMismatch" ? fromSenderMismatch(circuit, failure.value) : failure.value
    if (error._tag === "ConfigurationError") {
      log(pauseCircuit(circuit, error))
      return Exit.succeed(unavailable("route_paused", Duration.toMillis(options.misconfigurationDelay)))
    }
    if (error._tag === "TargetKindMisconfigured") {
      log(recordSuccess(circuit))
      log(misconfiguredKinds.add(error))
      return Exit.succeed(unavailable("route_paused", Duration.toMillis(options.misconfigurationDelay)))
    }
    log(recordError(circuit, error, isHalfOpen))
    return Exit.fail(untilCircuitCloses(circuit, capRetryAfter(error, Duration.toMillis(maxProviderWait))))
  }

  const startCall = (
    context: Context.Context<never>,
    circuit: Circuit,
    message: Message,
    { isHalfOpen }: Permit,
    settled: OnSettled,
  ) =>
    callTimer.start(context, provider.send(message), (exit, isLate) =>
      settled(settle(context, circuit, isHalfOpen, exit, isLate)),
    )

  const callProvider = (circuit: Circuit, message: Message, permit: Permit) =>
    Effect.withFiber<Accepted | Unavailable, CallError>((fiber) =>
      Effect.callback((resume) => startCall(fiber.context, circuit, message, permit, resume)),
    )

  const attempt: ProviderCircuit["attempt"] = (message, before) =>
    Effect.suspend(() => {
      const circuit = circuitOf(message)
      const permit = admit(circuit)
      if (permit._tag === "Closed") return Effect.succeed(permit)
      const run = Effect.andThen(before, callProvider(circuit, message, permit))
      const delayed = permit.delayMillis === 0 ? run : Effect.delay(run, permit.delayMillis)
      if (!permit.isHalfOpen) return delayed
      // However a probe ends, the next may follow.
      return Effect.ensuring(
        delayed,
        Effect.sync(() => {
          circuit.halfOpenCallRunning = false
        }),
      )
    })

  const reset = Effect.suspend(() => {
    for (const circuit of circuits.values()) {
      Object.assign(circuit, { failures: 0, openUntil: 0, openMillis: 0, pausedUntil: 0 })
    }
    const clearGauges = Effect.andThen(
      Metrics.setGauge(Metrics.circuitOpen, provider.name, false),
      Metrics.setGauge(Metrics.providerPaused, provider.name, false),
    )
    return Effect.andThen(clearGauges, misconfiguredKinds.reset)
  })
  const state = Effect.map(Clock.currentTimeMillis, (now) => worstState([...circuits.values()], now))
  yield* registry.register({ name, state, reset })

  return {
    provider,
    attempt:
      concurrencyLimit === undefined
        ? attempt
        : (message, before) => concurrencyLimit.withPermits(1)(attempt(message, before)),
    start: (context, message, settled) => {
      const circuit = circuitOf(message)
      const permit = admit(circuit)
      if (permit._tag === "Closed") {
        settled(Exit.succeed(permit))
        return Effect.void
      }
      if (permit.delayMillis === 0) return startCall(context, circuit, message, permit, settled)
      const later = Effect.delay(callProvider(circuit, message, permit), permit.delayMillis)
      const fiber = Effect.runForkWith(context)(later)
      fiber.addObserver(settled)
      return Fiber.interrupt(fiber)
    },
    unavailability: (now) => {
      if (registry.pauseOf(name) !== undefined) return unavailable("route_paused", operatorPauseRecheckMillis)
      const circuit = circuits.get("")
      if (circuit === undefined) return undefined
      const left = Math.max(circuit.pausedUntil, circuit.openUntil) - now
      return left > 0 ? unavailable(circuit.pausedUntil > now ? "route_paused" : "circuit_open", left) : undefined
    },
  }
})

const immediatePermit: Permit = { _tag: "Permit", isHalfOpen: false, delayMillis: 0 }
const halfOpenPermit: Permit = { _tag: "Permit", isHalfOpen: true, delayMillis: 0 }

const unreachable = (error: unknown): never => {
  throw new Error("a cause without an error had one", { cause: error })
}

/** A route is shown as its worst circuit is. */
const worstState = (circuits: ReadonlyArray<Circuit>, now: number): CircuitState => {
  const failures = circuits.reduce((most, circuit) => Math.max(most, circuit.failures), 0)
  const waiting = circuits.find(({ pausedUntil }) => pausedUntil > now)
  if (waiting !== undefined) return { status: "waiting", failures, until: waiting.pausedUntil }
  const open = circuits.find(({ openMillis }) => openMillis > 0)
  if (open === undefined) return { status: "closed", failures }
  return open.openUntil > now ? { status: "open", failures, until: open.openUntil } : { status: "probing", failures }
}
