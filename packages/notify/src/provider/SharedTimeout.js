/** One timeout for all calls of a provider; see `FixedDelay`. */
import * as FixedDelay from "@armoricore/worker/FixedDelay";
import { Effect, Fiber } from "effect";
export const make = (timeout) => Effect.map(FixedDelay.make(timeout), (timeouts) => ({
    start: (context, call, settled) => {
        const fiber = Effect.runForkWith(context)(call);
        const exit = fiber.pollUnsafe();
        if (exit !== undefined) {
            settled(exit, false);
            return Effect.void;
        }
        let timedOut = false;
        const cancel = timeouts.schedule(() => {
            timedOut = true;
            fiber.interruptUnsafe();
        });
        fiber.addObserver((end) => {
            cancel();
            settled(end, timedOut);
        });
        return Fiber.interrupt(fiber);
    },
}));
