/**
 * Calls one provider, if it may be called now: no operator has paused it, its circuit is closed (see `Circuit`), and its
 * limits of calls per second and of concurrent calls allow it. A rejected message waits and uses up no attempt.
 *
 * There is one per provider and process. A provider that reaches several servers has a circuit for each. A throttled
 * call is no outage: the provider responds and says when to come back.
 */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { type CircuitState, CircuitRegistry } from "@armoricore/worker/control/CircuitRegistry"
import { Cause, Clock, Context, Duration, Effect, Exit, Fiber, Option, Random, type Scope, Semaphore } from "effect"
import { DeliveryPolicy } from "../delivery/DeliveryPolicy.ts"
import { identityOf } from "../request/Target.ts"
import * as Metrics from "../NotifyMetrics.ts"
import * as Circuit from "./Circuit.ts"
import * as MisconfiguredKinds from "./MisconfiguredKinds.ts"
import {
  type Accepted,
  type Message,
  type Provider,
  faultOf,
  InvalidTarget,
  type ProviderError,
  type Refusal,
  type StartCall,
  startOf,
  type TargetKindMisconfigured,
  UnknownOutcome,
} from "./Provider.ts"
import * as RefusalRun from "./RefusalRun.ts"
import * as SharedTimeout from "./SharedTimeout.ts"

export const CircuitOptions = Context.Reference<Circuit.CircuitOptions>("@armoricore/notify/CircuitOptions", {
  defaultValue: () => ({
    failureThreshold: 5,
    initialOpenDuration: Duration.seconds(1),
    maxOpenDuration: Duration.seconds(30),
    misconfigurationDelay: Duration.seconds(60),
  }),
})

/** The provider was not called; the message may be sent after this time. */
export interface Unavailable {
  readonly _tag: "Unavailable"
  readonly reason: Circuit.RejectReason | "rate_limited" | "refusal_unconfirmed"
  readonly waitMillis: number
}

export interface ProviderCircuit {
  readonly provider: Provider
  /**
   * Runs `before`, then calls the provider; runs neither while the provider is unavailable. A failure of a call that
   * ends while the circuit is open uses up no attempt of its message.
   */
  readonly attempt: <E, R>(
    message: Message,
    before: Effect.Effect<void, E, R>,
  ) => Effect.Effect<Accepted | Unavailable, CallError | E, R>
  /**
   * Starts a call without `before`, for a batch: no fiber waits for it, and `settled` receives its end. Effects of the call
   * and its logs have the context. The returned effect interrupts the call. `maxConcurrent` does not apply.
   */
  readonly start: (context: () => Context.Context<never>, message: Message, settled: OnSettled) => Effect.Effect<void>
  /** Whether every message would be rejected now; undefined: the provider may be called. */
  readonly unavailability: (now: number) => Unavailable | undefined
}

export type OnSettled = (end: Exit.Exit<Accepted | Unavailable, CallError>) => void

/**
 * Configuration errors are no failures of the message: they pause the provider, or one kind of target. A refusal becomes
 * another error once it counts.
 */
export type CallError = Exclude<ProviderError, ConfigurationError | Refusal | TargetKindMisconfigured>

/** How long a rate-limited call keeps its slot; with a longer wait the message goes back to the queue. */
const maxRateLimitWaitMillis = 1_000
/** When a message checks again whether the operator's pause is over. */
const operatorPauseRecheckMillis = 15_000
const maxCircuits = 1_000

/** Everything that the calls of one provider share. */
interface Shared {
  readonly provider: Provider
  readonly startCall: StartCall
  readonly name: string
  readonly registry: CircuitRegistry
  readonly options: Circuit.CircuitOptions
  readonly callTimeout: Duration.Duration
  readonly maxProviderWaitMillis: number
  readonly clock: Clock.Clock
  readonly random: (typeof Random.Random)["Service"]
  readonly callTimer: SharedTimeout.SharedTimeout
  readonly circuits: Map<string, Circuit.Circuit>
  readonly misconfiguredKinds: MisconfiguredKinds.MisconfiguredKinds
  readonly minIntervalMillis: number
  readonly onReversed: (messages: ReadonlyArray<Message>) => void
  /** The next turn under the rate limit, epoch milliseconds. */
  nextCallAt: number
}

interface Permit {
  readonly _tag: "Permit"
  readonly isHalfOpen: boolean
  /** The wait for a turn under the rate limit. */
  readonly delayMillis: number
}

const immediatePermit: Permit = { _tag: "Permit", isHalfOpen: false, delayMillis: 0 }
const halfOpenPermit: Permit = { _tag: "Permit", isHalfOpen: true, delayMillis: 0 }

/** `onReversed` receives the messages of refusals that were counted and then turned out to be our own fault. */
export const make = Effect.fnUntraced(function* (
  provider: Provider,
  onReversed: (messages: ReadonlyArray<Message>) => void = () => {},
): Effect.fn.Return<ProviderCircuit, never, Scope.Scope> {
  const { callTimeout, maxProviderWait } = yield* DeliveryPolicy
  const options = yield* CircuitOptions
  const clock = yield* Clock.Clock
  const shared: Shared = {
    provider,
    startCall: startOf(provider),
    name: `provider:${provider.name}`,
    registry: yield* CircuitRegistry,
    options,
    callTimeout,
    maxProviderWaitMillis: Duration.toMillis(maxProviderWait),
    clock,
    random: yield* Random.Random,
    callTimer: yield* SharedTimeout.make(callTimeout),
    circuits: new Map(),
    misconfiguredKinds: MisconfiguredKinds.make(provider.name, options.misconfigurationDelay, clock),
    minIntervalMillis: provider.maxPerSecond === undefined ? 0 : 1_000 / provider.maxPerSecond,
    nextCallAt: 0,
    onReversed,
  }
  const { circuits, name, registry } = shared
  const state = Effect.map(Clock.currentTimeMillis, (now) => worstState([...circuits.values()], now))
  yield* registry.register({ name, state, reset: resetAll(shared) })

  const attempt: ProviderCircuit["attempt"] = (message, before) => attemptCall(shared, message, before)
  const concurrencyLimit =
    provider.maxConcurrent === undefined ? undefined : Semaphore.makeUnsafe(provider.maxConcurrent)
  return {
    provider,
    attempt:
      concurrencyLimit === undefined
        ? attempt
        : (message, before) => concurrencyLimit.withPermits(1)(attempt(message, before)),
    start: (context, message, settled) => startBatched(shared, context, message, settled),
    unavailability: (now) => {
      if (registry.pauseOf(name) !== undefined)
        return unavailable(shared, "provider_paused", operatorPauseRecheckMillis)
      const only = circuits.get("")
      const rejected = only === undefined ? undefined : Circuit.rejection(only, now)
      return rejected === undefined ? undefined : unavailable(shared, rejected.reason, rejected.waitMillis)
    },
  }
})

/** The same failure, with a `retryAfterMillis` of at most `maxMillis`. */
export const capRetryAfter = <E extends { readonly _tag: string }>(
  error: E | TransientError,
  maxMillis: number,
): E | TransientError => {
  if (!(error instanceof TransientError)) return error
  const { code, countsAsAttempt, dependency, message, retryAfterMillis } = error
  if (retryAfterMillis === undefined || retryAfterMillis <= maxMillis) return error
  return new TransientError({
    dependency,
    code,
    message,
    retryAfterMillis: maxMillis,
    ...(countsAsAttempt === undefined ? {} : { countsAsAttempt }),
  })
}

/** Adds up to a quarter to the wait, so that waiting messages do not all come back in the same millisecond. */
const unavailable = ({ random }: Shared, reason: Unavailable["reason"], waitMillis: number): Unavailable => ({
  _tag: "Unavailable",
  reason,
  waitMillis: Math.ceil(Math.max(50, waitMillis) * (1 + random.nextDoubleUnsafe() / 4)),
})

const circuitOf = ({ circuits, provider }: Shared, message: Message): Circuit.Circuit => {
  const key = provider.circuitKey?.(message) ?? ""
  const known = circuits.get(key)
  if (known !== undefined) return known
  const circuit = Circuit.make(key)
  circuits.set(key, circuit)
  if (circuits.size > maxCircuits) for (const oldest of circuits.keys()) if (circuits.delete(oldest)) break
  return circuit
}

const admit = (shared: Shared, circuit: Circuit.Circuit): Permit | Unavailable => {
  const { clock, minIntervalMillis, name, registry } = shared
  if (registry.pauseOf(name) !== undefined) return unavailable(shared, "provider_paused", operatorPauseRecheckMillis)
  const now = clock.currentTimeMillisUnsafe()
  const admission = Circuit.admit(circuit, now)
  if (admission._tag === "Rejected") return unavailable(shared, admission.reason, admission.waitMillis)
  if (admission.isHalfOpen) return halfOpenPermit
  if (minIntervalMillis === 0) return immediatePermit
  const turn = Math.max(now, shared.nextCallAt)
  if (turn - now > maxRateLimitWaitMillis) return unavailable(shared, "rate_limited", turn - now)
  shared.nextCallAt = turn + minIntervalMillis
  return turn > now ? { ...immediatePermit, delayMillis: turn - now } : immediatePermit
}

const startCall = (
  shared: Shared,
  context: () => Context.Context<never>,
  circuit: Circuit.Circuit,
  message: Message,
  { isHalfOpen }: Permit,
  settled: OnSettled,
) =>
  shared.callTimer.start<Accepted, ProviderError>(
    context,
    (end, rest) => shared.startCall(message, end, rest),
    (exit, timedOut) => settled(settle(shared, context, circuit, message, isHalfOpen, exit, timedOut)),
  )

const callProvider = (shared: Shared, circuit: Circuit.Circuit, message: Message, permit: Permit) =>
  Effect.withFiber<Accepted | Unavailable, CallError>((fiber) =>
    Effect.callback((resume) => startCall(shared, () => fiber.context, circuit, message, permit, resume)),
  )

const attemptCall = <E, R>(
  shared: Shared,
  message: Message,
  before: Effect.Effect<void, E, R>,
): Effect.Effect<Accepted | Unavailable, CallError | E, R> =>
  Effect.suspend(() => {
    const circuit = circuitOf(shared, message)
    const permit = admit(shared, circuit)
    if (permit._tag === "Unavailable") return Effect.succeed(permit)
    const call = Effect.andThen(before, callProvider(shared, circuit, message, permit))
    const delayed = permit.delayMillis === 0 ? call : Effect.delay(call, permit.delayMillis)
    if (!permit.isHalfOpen) return delayed
    // Also when `before` fails or the call is interrupted, the next half-open call must be possible.
    return Effect.ensuring(
      delayed,
      Effect.sync(() => {
        circuit.halfOpenCallRunning = false
      }),
    )
  })

const startBatched = (
  shared: Shared,
  context: () => Context.Context<never>,
  message: Message,
  settled: OnSettled,
): Effect.Effect<void> => {
  const circuit = circuitOf(shared, message)
  const permit = admit(shared, circuit)
  if (permit._tag === "Unavailable") {
    settled(Exit.succeed(permit))
    return Effect.void
  }
  if (permit.delayMillis === 0) return startCall(shared, context, circuit, message, permit, settled)
  const delayed = Effect.delay(callProvider(shared, circuit, message, permit), permit.delayMillis)
  const fiber = Effect.runForkWith(context())(delayed)
  fiber.addObserver(settled)
  return Fiber.interrupt(fiber)
}

/** Records the end of a call in its circuit and logs a change of the circuit. */
const settle = (
  shared: Shared,
  context: () => Context.Context<never>,
  circuit: Circuit.Circuit,
  message: Message,
  isHalfOpen: boolean,
  exit: Exit.Exit<Accepted, ProviderError>,
  timedOut: boolean,
): Exit.Exit<Accepted | Unavailable, CallError> => {
  if (isHalfOpen) circuit.halfOpenCallRunning = false
  const report = (change: Effect.Effect<void> | undefined) => {
    if (change !== undefined) Effect.runForkWith(context())(change)
  }
  if (Exit.isSuccess(exit)) {
    RefusalRun.accept(circuit.refusals, shared.clock.currentTimeMillisUnsafe())
    report(recordSuccess(shared, circuit))
    report(shared.misconfiguredKinds.expire())
    return Exit.succeed(exit.value)
  }
  const failure = timedOut
    ? Option.some(new UnknownOutcome({ message: `no response within ${Duration.format(shared.callTimeout)}` }))
    : Cause.findErrorOption(exit.cause)
  // A defect of the provider or an interruption says nothing about the circuit.
  if (Option.isNone(failure)) return Exit.failCause(Cause.map(exit.cause, unreachable))
  const error = judgeRefusal(shared, circuit, message, failure.value)
  switch (error._tag) {
    case "ConfigurationError":
      report(pause(shared, circuit, error))
      return Exit.succeed(misconfigured(shared))
    case "TargetKindMisconfigured":
      report(recordSuccess(shared, circuit))
      report(shared.misconfiguredKinds.add(error))
      return Exit.succeed(misconfigured(shared))
    case "RefusalHeld":
      report(logHeld(shared, circuit, error.refusal))
      return Exit.succeed(
        unavailable(shared, "refusal_unconfirmed", Duration.toMillis(shared.options.misconfigurationDelay)),
      )
    default:
      report(recordError(shared, circuit, error, isHalfOpen))
      return Exit.fail(afterOpenCircuit(shared, circuit, capRetryAfter(error, shared.maxProviderWaitMillis)))
  }
}

const misconfigured = (shared: Shared): Unavailable =>
  unavailable(shared, "provider_paused", Duration.toMillis(shared.options.misconfigurationDelay))

/** The refusal has no consequence yet: the message is sent again later. */
interface RefusalHeld {
  readonly _tag: "RefusalHeld"
  readonly refusal: Refusal | InvalidTarget
}

const defaultMaxHolds = 10

/** See `RefusalRun`. Other errors stay as they are. */
const judgeRefusal = (
  { clock, onReversed, options }: Shared,
  { refusals }: Circuit.Circuit,
  message: Message,
  error: ProviderError,
): Exclude<ProviderError, Refusal> | RefusalHeld => {
  if (error._tag !== "Refusal" && error._tag !== "InvalidTarget") return error
  const isCertain = error._tag === "InvalidTarget"
  const { reason } = error
  const ruling = RefusalRun.judge(
    refusals,
    { reason, isCertain, subject: faultOf(error) === "message" ? message.notificationId : identityOf(message.target) },
    message,
    clock.currentTimeMillisUnsafe(),
    (options.maxHolds ?? defaultMaxHolds) * Duration.toMillis(options.misconfigurationDelay),
  )
  switch (ruling) {
    case "hold":
      return { _tag: "RefusalHeld", refusal: error }
    case "pause": {
      const reversed = RefusalRun.drainCounted(refusals)
      if (reversed.length > 0) onReversed(reversed)
      const setting = isCertain ? "its settings" : error.setting
      return new ConfigurationError({
        setting,
        message: `${refusals.subjects.size} refusals in a row are the same (${reason}), which points to ${setting} and not to the recipients: ${error.message}`,
      })
    }
    case "count":
      if (isCertain) return error
      return error.isTargetInvalid === true ? new InvalidTarget({ reason, message: error.message }) : counted(error)
    case "count_alone":
      return counted(error, "; no other message was accepted meanwhile, so the recipient is not reported as invalid")
  }
}

const counted = (error: Refusal | InvalidTarget, note = ""): PermanentError | TransientError => {
  const message = `${error.message}${note}`
  return error._tag === "Refusal" && error.isTemporary === true
    ? new TransientError({ dependency: "email", code: deferredCode, message })
    : new PermanentError({ code: error.reason, message })
}

const logHeld = ({ provider }: Shared, circuit: Circuit.Circuit, { message, reason }: Refusal | InvalidTarget) =>
  Effect.andThen(
    Metrics.increment(Metrics.refusalsHeld, { provider: provider.name, reason }),
    Effect.logWarning(
      `${displayName(provider, circuit)} refuses a recipient and has accepted no other lately; the message waits: ${message}`,
      { provider: provider.name },
    ),
  )

const recordError = (
  shared: Shared,
  circuit: Circuit.Circuit,
  error: CallError,
  isHalfOpen: boolean,
): Effect.Effect<void> | undefined => {
  switch (error._tag) {
    case "UnknownOutcome":
      return recordOutage(shared, circuit, error, isHalfOpen)
    case "TransientError":
      return isResponse(error) ? recordSuccess(shared, circuit) : recordOutage(shared, circuit, error, isHalfOpen)
    case "InvalidTarget":
    case "PermanentError":
      // During a run of refusals, only an accepted message ends the pause.
      return RefusalRun.isLong(circuit.refusals) ? undefined : recordSuccess(shared, circuit)
  }
}

/** The code of a `TransientError` by which a mail server asks to try again later. */
export const deferredCode = "deferred"

/** The provider works and asks to come back later. */
const isResponse = ({ code }: TransientError): boolean => code === "throttled" || code === deferredCode

const recordSuccess = ({ provider }: Shared, circuit: Circuit.Circuit): Effect.Effect<void> | undefined =>
  Circuit.recordSuccess(circuit)
    ? Effect.andThen(
        Effect.logInfo(`${displayName(provider, circuit)} works again`, { provider: provider.name }),
        clearGauges(provider),
      )
    : undefined

const recordOutage = (
  { clock, options, provider }: Shared,
  circuit: Circuit.Circuit,
  error: CallError,
  isHalfOpen: boolean,
): Effect.Effect<void> | undefined =>
  Circuit.recordOutage(circuit, isHalfOpen, clock.currentTimeMillisUnsafe(), options)
    ? Effect.andThen(
        Metrics.setGauge(Metrics.circuitOpen, provider.name, true),
        Effect.logWarning(
          `${displayName(provider, circuit)} is not called for ${circuit.openMillis} ms: ${error.message}`,
          { provider: provider.name },
        ),
      )
    : undefined

const pause = (
  { clock, options, provider }: Shared,
  circuit: Circuit.Circuit,
  error: ConfigurationError,
): Effect.Effect<void> => {
  Circuit.pause(circuit, clock.currentTimeMillisUnsafe(), options)
  return Effect.andThen(
    Metrics.setGauge(Metrics.providerPaused, provider.name, true),
    Effect.logError(`ALARM: ${displayName(provider, circuit)} is paused, its messages wait: ${error.message}`, {
      provider: provider.name,
    }),
  )
}

/** A failure of an open circuit waits until it closes, and is no attempt. */
const afterOpenCircuit = (
  { clock }: Shared,
  { openMillis, openUntil }: Circuit.Circuit,
  error: CallError,
): CallError => {
  if (error._tag !== "TransientError" || isResponse(error) || openMillis === 0) return error
  const retryAfterMillis = Math.max(error.retryAfterMillis ?? 0, openUntil - clock.currentTimeMillisUnsafe())
  const { code, dependency, message } = error
  return new TransientError({ dependency, code, message, countsAsAttempt: false, retryAfterMillis })
}

const displayName = ({ name }: Provider, { key }: Circuit.Circuit) =>
  key === "" ? `the provider ${name}` : `the provider ${name} to ${key}`

const clearGauges = ({ name }: Provider) =>
  Effect.andThen(
    Metrics.setGauge(Metrics.circuitOpen, name, false),
    Metrics.setGauge(Metrics.providerPaused, name, false),
  )

const resetAll = ({ circuits, misconfiguredKinds, provider }: Shared) =>
  Effect.suspend(() => {
    for (const circuit of circuits.values()) Circuit.reset(circuit)
    return Effect.andThen(clearGauges(provider), misconfiguredKinds.reset)
  })

const unreachable = (error: unknown): never => {
  throw new Error("a cause without a failure contained one", { cause: error })
}

/** Operators see one state per provider: that of its worst circuit. */
const worstState = (circuits: ReadonlyArray<Circuit.Circuit>, now: number): CircuitState => {
  const failures = circuits.reduce((max, circuit) => Math.max(max, circuit.failures), 0)
  const paused = circuits.find(({ pausedUntil }) => pausedUntil > now)
  if (paused !== undefined) return { status: "waiting", failures, until: paused.pausedUntil }
  const open = circuits.find(({ openMillis }) => openMillis > 0)
  if (open === undefined) return { status: "closed", failures }
  return open.openUntil > now ? { status: "open", failures, until: open.openUntil } : { status: "probing", failures }
}
