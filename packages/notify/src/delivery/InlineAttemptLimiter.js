/**
 * Limits the concurrent first attempts of one channel that run without a work message. The limit grows with the latency
 * that the provider shows: a provider that answers after 80 ms serves as many attempts a second as one that answers after
 * 20 ms if four times as many run. At the limit, an attempt waits for a slot if its turn comes soon, because a work
 * message would cost more than the call. Behind a provider so slow that it does not, the attempt is rejected and needs a
 * work message, so that the provider does not delay requests of other channels.
 */
import { Effect } from "effect";
/** The limit stays at its minimum up to this mean duration, and is proportional to the duration above it. */
export const referenceMillis = 20;
/** The weight of the latest attempt in the moving average. */
const meanWeight = 0.1;
export const make = ({ maxConcurrent, maxWaitMillis, minConcurrent }) => {
    const waiting = [];
    let running = 0;
    let meanMillis = 0;
    let limit = Math.min(minConcurrent, maxConcurrent);
    const observe = (millis) => {
        meanMillis += (millis - meanMillis) * meanWeight;
        limit = Math.min(maxConcurrent, Math.max(minConcurrent, Math.ceil((minConcurrent * meanMillis) / referenceMillis)));
    };
    const acquire = Effect.suspend(() => {
        if (running < limit) {
            running++;
            return acquired;
        }
        // A slot becomes free every `meanMillis / limit`.
        if (((waiting.length + 1) * meanMillis) / limit > maxWaitMillis)
            return full;
        return Effect.as(
        // The releasing attempt hands its slot over by this call.
        Effect.callback((resume) => {
            waiting.push(resume);
            return Effect.sync(() => {
                const at = waiting.indexOf(resume);
                if (at >= 0)
                    waiting.splice(at, 1);
                else
                    release();
            });
        }), true);
    });
    const release = () => {
        running--;
        // The limit may have changed since the attempt began.
        while (running < limit) {
            const next = waiting.shift();
            if (next === undefined)
                return;
            running++;
            next(Effect.void);
        }
    };
    return {
        limit: () => limit,
        run: (work) => Effect.clockWith((clock) => Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(acquire), (isAcquired) => {
            if (!isAcquired)
                return Effect.succeed(undefined);
            const startedAt = clock.currentTimeMillisUnsafe();
            return Effect.onExit(restore(work), () => {
                observe(clock.currentTimeMillisUnsafe() - startedAt);
                release();
                return Effect.void;
            });
        }))),
    };
};
const acquired = Effect.succeed(true);
const full = Effect.succeed(false);
