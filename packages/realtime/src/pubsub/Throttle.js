/**
 * Emits at most once per interval and key: at once after a quiet interval, then at the end of every interval with a trigger.
 */
import { Effect, FiberMap } from "effect";
export const make = (emit, interval = "1 second") => Effect.gen(function* () {
    const running = yield* FiberMap.make();
    const changed = new Set();
    const run = Effect.fnUntraced(function* (key) {
        while (changed.delete(key)) {
            yield* emit(key);
            yield* Effect.sleep(interval);
        }
    });
    return {
        trigger: (key) => Effect.suspend(() => {
            changed.add(key);
            return FiberMap.hasUnsafe(running, key) ? Effect.void : Effect.asVoid(FiberMap.run(running, key, run(key)));
        }),
    };
});
