/**
 * Many timers of one length. Since all have the same delay, one fiber watches the oldest. A fiber and a timer for each
 * would cost 5 µs CPU, which is much for a message that is handled in 100 µs.
 */
import { Clock, Duration, Effect, Fiber } from "effect";
import * as MonotonicClock from "./MonotonicClock.ts";
/** The timers end with the scope. */
export const make = Effect.fnUntraced(function* (delay) {
    const millis = Duration.toMillis(delay);
    const clock = yield* Clock.Clock;
    const fork = Effect.runForkWith(yield* Effect.context());
    // In the order of their ends.
    const timers = new Set();
    let watcher;
    const watch = Effect.suspend(() => {
        for (const timer of timers) {
            const remaining = timer.dueAt - MonotonicClock.millis(clock);
            if (remaining > 0)
                return Effect.andThen(Effect.sleep(Math.ceil(remaining)), watch);
            timers.delete(timer);
            timer.onDue();
        }
        watcher = undefined;
        return Effect.void;
    });
    yield* Effect.addFinalizer(() => Effect.suspend(() => {
        timers.clear();
        return watcher === undefined ? Effect.void : Fiber.interrupt(watcher);
    }));
    return {
        schedule: (onDue) => {
            const timer = { dueAt: MonotonicClock.millis(clock) + millis, onDue };
            timers.add(timer);
            if (watcher === undefined) {
                const started = fork(watch);
                // Without a delay it has ended already.
                if (started.pollUnsafe() === undefined)
                    watcher = started;
            }
            return () => void timers.delete(timer);
        },
    };
});
