/**
 * Waiting in tests: for a condition that has no event of its own, and for the proof that something does not happen. Both
 * wait on the real clock, also under `TestClock`; the observed effect itself runs on the clock of the test.
 */
import { Clock, Duration, Effect, Predicate } from "effect";
const liveClock = Clock.Clock.defaultValue();
const pause = (interval) => Effect.provideService(Effect.sleep(interval), Clock.Clock, liveClock);
const show = (value) => {
    try {
        return JSON.stringify(value) ?? String(value);
    }
    catch {
        return String(value);
    }
};
const observed = (observation) => Effect.isEffect(observation) ? observation : Effect.sync(observation);
/**
 * Observes again and again until `isMet` holds, and succeeds with that value. Dies with the last value after `timeout`,
 * so that a failing test shows how far it came.
 *
 *     yield* eventually(() => frames.length === 2)
 *     const state = yield* eventually(states.get("m1"), (state) => state.status === "ready", { timeout: "1 minute" })
 */
export const eventually = (observation, isMetOrOptions, more) => {
    const isMet = Predicate.isFunction(isMetOrOptions) ? isMetOrOptions : (value) => value === true;
    const { interval = "5 millis", timeout = "20 seconds" } = (Predicate.isFunction(isMetOrOptions) ? more : isMetOrOptions) ?? {};
    return Effect.suspend(() => {
        const deadline = liveClock.currentTimeMillisUnsafe() + Duration.toMillis(Duration.fromInputUnsafe(timeout));
        const next = Effect.flatMap(observed(observation), (value) => {
            if (isMet(value))
                return Effect.succeed(value);
            if (liveClock.currentTimeMillisUnsafe() > deadline) {
                return Effect.die(new Error(`the condition did not hold in time; the last value was ${show(value)}`));
            }
            return Effect.andThen(pause(interval), next);
        });
        return next;
    });
};
/**
 * Waits for `duration` of real time and dies if `observation` yields anything but `false`, `0`, `undefined` or an empty
 * array meanwhile. Prefer an event that can only arrive after the absent one; use this where no such event exists.
 */
export const expectNothingFor = (duration, observation) => Effect.suspend(() => {
    const end = liveClock.currentTimeMillisUnsafe() + Duration.toMillis(Duration.fromInputUnsafe(duration));
    const next = Effect.flatMap(observed(observation), (value) => {
        const isNothing = Array.isArray(value)
            ? value.length === 0
            : value === undefined || value === false || value === 0;
        if (!isNothing)
            return Effect.die(new Error(`expected nothing, observed ${show(value)}`));
        return liveClock.currentTimeMillisUnsafe() > end ? Effect.void : Effect.andThen(pause("10 millis"), next);
    });
    return next;
});
