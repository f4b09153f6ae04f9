/**
 * Waiting in tests: for a condition that has no event of its own, and for the proof that something does not happen. Both
 * wait on the real clock, also under `TestClock`; the observed effect itself runs on the clock of the test.
 */
import { Clock, Duration, Effect, Predicate } from "effect"

export interface Options {
  /** How long to wait before the test fails; 20 s by default. */
  readonly timeout?: Duration.Input
  /** The pause between two looks; 5 ms by default. */
  readonly interval?: Duration.Input
}

const liveClock = Clock.Clock.defaultValue()

const pause = (interval: Duration.Input): Effect.Effect<void> =>
  Effect.provideService(Effect.sleep(interval), Clock.Clock, liveClock)

const show = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}

type Observation<A, E, R> = Effect.Effect<A, E, R> | (() => A)

const observed = <A, E, R>(observation: Observation<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.isEffect(observation) ? observation : Effect.sync(observation)

/**
 * Observes again and again until `isMet` holds, and succeeds with that value. Dies with the last value after `timeout`,
 * so that a failing test shows how far it came.
 *
 *     yield* eventually(() => frames.length === 2)
 *     const state = yield* eventually(states.get("m1"), (state) => state.status === "ready", { timeout: "1 minute" })
 */
export const eventually: {
  <E = never, R = never>(condition: Observation<boolean, E, R>, options?: Options): Effect.Effect<boolean, E, R>
  <A, E = never, R = never>(
    observation: Observation<A, E, R>,
    isMet: (value: A) => boolean,
    options?: Options,
  ): Effect.Effect<A, E, R>
} = <A, E, R>(
  observation: Observation<A, E, R>,
  isMetOrOptions?: ((value: A) => boolean) | Options,
  more?: Options,
): Effect.Effect<A, E, R> => {
  const isMet = Predicate.isFunction(isMetOrOptions) ? isMetOrOptions : (value: A) => value === true
  const { interval = "5 millis", timeout = "20 seconds" } =
    (Predicate.isFunction(isMetOrOptions) ? more : isMetOrOptions) ?? {}
  return Effect.suspend(() => {
    const deadline = liveClock.currentTimeMillisUnsafe() + Duration.toMillis(Duration.fromInputUnsafe(timeout))
    const next: Effect.Effect<A, E, R> = Effect.flatMap(observed(observation), (value) => {
      if (isMet(value)) return Effect.succeed(value)
      if (liveClock.currentTimeMillisUnsafe() > deadline) {
        return Effect.die(new Error(`the condition did not hold in time; the last value was ${show(value)}`))
      }
      return Effect.andThen(pause(interval), next)
    })
    return next
  })
}

/**
 * Waits for `duration` of real time and dies if `observation` yields anything but `false`, `0`, `undefined` or an empty
 * array meanwhile. Prefer an event that can only arrive after the absent one; use this where no such event exists.
 */
export const expectNothingFor = <E = never, R = never>(
  duration: Duration.Input,
  observation: Observation<boolean | number | ReadonlyArray<unknown> | undefined, E, R>,
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const end = liveClock.currentTimeMillisUnsafe() + Duration.toMillis(Duration.fromInputUnsafe(duration))
    const next: Effect.Effect<void, E, R> = Effect.flatMap(observed(observation), (value) => {
      const isNothing = Array.isArray(value)
        ? value.length === 0
        : value === undefined || value === false || value === 0
      if (!isNothing) return Effect.die(new Error(`expected nothing, observed ${show(value)}`))
      return liveClock.currentTimeMillisUnsafe() > end ? Effect.void : Effect.andThen(pause("10 millis"), next)
    })
    return next
  })
