/**
 * Whether a route may be called now: a pause after a configuration fault, a circuit breaker against an outage, and a
 * limit of calls a second. One guard per route and process; what it refuses waits without using up a try.
 *
 *     closed ──`trip` outage failures in a row──▶ open ──its time is over──▶ one probe ──ok──▶ closed
 *                                                  ▲ twice as long           │ fails
 *                                                  └─────────────────────────┘
 *
 * A throttled call is no outage: the provider answers, and says when to come again.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Clock, Context, Duration, Effect, Random } from "effect"
import * as Metrics from "./NotifyMetrics.ts"
import { DeliveryPolicy } from "./DeliveryPolicy.ts"
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
  ) => Effect.Effect<Accepted | Closed, RouteError | E, R>
}

/** What a permit waits for at most; longer waits free the slot. */
const patienceMillis = 1_000

export const make = Effect.fnUntraced(function* (route: Route): Effect.fn.Return<RouteGuard> {
  const options = yield* GuardOptions
  const { callLimit } = yield* DeliveryPolicy
  let failures = 0
  let openUntil = 0
  let openMillis = 0
  let probing = false
  let pausedUntil = 0
  let nextCall = 0
  const gap = route.perSecond === undefined ? 0 : 1_000 / route.perSecond

  const admit = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (pausedUntil > now) return yield* closed("route_paused", pausedUntil - now)
    if (openMillis > 0 || pausedUntil > 0) {
      if (openUntil > now) return yield* closed("circuit_open", openUntil - now)
      if (probing) return yield* closed(openMillis > 0 ? "circuit_open" : "route_paused", patienceMillis)
      probing = true
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

  const healthy = Effect.suspend(() => {
    failures = 0
    if (openMillis === 0 && pausedUntil === 0) return Effect.void
    openMillis = 0
    openUntil = 0
    pausedUntil = 0
    return Effect.andThen(
      Effect.logInfo(`the route ${route.name} works again`, { route: route.name }),
      Effect.andThen(Metrics.set(Metrics.open, route.name, false), Metrics.set(Metrics.paused, route.name, false)),
    )
  })

  const outage = (error: RouteError, probe: boolean) =>
    Effect.gen(function* () {
      failures++
      // Calls that were under way when it opened say nothing new.
      if (!probe && (openMillis > 0 || failures < options.trip)) return
      openMillis = Math.min(
        Duration.toMillis(options.openAtMost),
        openMillis === 0 ? Duration.toMillis(options.openFor) : openMillis * 2,
      )
      openUntil = (yield* Clock.currentTimeMillis) + openMillis
      yield* Metrics.set(Metrics.open, route.name, true)
      yield* Effect.logWarning(`the route ${route.name} is not called for ${openMillis} ms: ${error.message}`, {
        route: route.name,
      })
    })

  const pause = (error: RouteError) =>
    Effect.gen(function* () {
      pausedUntil = (yield* Clock.currentTimeMillis) + Duration.toMillis(options.pause)
      yield* Metrics.set(Metrics.paused, route.name, true)
      yield* Effect.logError(`ALARM: the route ${route.name} is paused, its messages wait: ${error.message}`, {
        route: route.name,
      })
    })

  const judge = (error: RouteError, probe: boolean): Effect.Effect<void> => {
    switch (error._tag) {
      case "ConfigurationError":
        return pause(error)
      case "OutcomeUnknown":
        return outage(error, probe)
      case "TransientError":
        return error.code === "throttled" ? healthy : outage(error, probe)
      case "TargetDead":
      case "PermanentError":
        return healthy
    }
  }

  const outageWaits = (error: RouteError): Effect.Effect<RouteError> =>
    error._tag !== "TransientError" || error.code === "throttled" || openMillis === 0
      ? Effect.succeed(error)
      : Effect.map(Clock.currentTimeMillis, (now) => {
          const wait = Math.max(error.retryAfterMillis ?? 0, openUntil - now)
          return new TransientError({ ...error, waiting: true, retryAfterMillis: wait })
        })

  const call = (message: Message, probe: boolean) =>
    route.send(message).pipe(
      Effect.timeoutOrElse({
        duration: callLimit,
        orElse: () => Effect.fail(new OutcomeUnknown({ message: `no answer within ${Duration.format(callLimit)}` })),
      }),
      Effect.tap(() => healthy),
      Effect.tapError((error) => judge(error, probe)),
      Effect.catch((error) => Effect.flatMap(outageWaits(error), Effect.fail)),
    )

  return {
    route,
    attempt: Effect.fnUntraced(function* (message, before) {
      const permit = yield* admit
      if (permit._tag === "Closed") return permit
      const { probe } = permit
      const run = Effect.andThen(before, call(message, probe))
      // However a probe ends, the next may follow.
      return yield* probe
        ? Effect.ensuring(
            run,
            Effect.sync(() => void (probing = false)),
          )
        : run
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
