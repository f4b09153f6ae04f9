/** A token that all callers share. It is renewed before it expires and after the provider rejected it. */
import { Clock, Effect, Semaphore } from "effect";
/** Providers throttle clients that sign too often: a token younger than `minRenewalMillis` stays in use. */
export const make = (create, minRenewalMillis = 0) => {
    const mutex = Semaphore.makeUnsafe(1);
    let current;
    const currentAt = (now) => (current !== undefined && current.until > now ? current.value : undefined);
    return {
        get: Effect.flatMap(Clock.currentTimeMillis, (now) => {
            const cached = currentAt(now);
            if (cached !== undefined)
                return Effect.succeed(cached);
            return mutex.withPermits(1)(Effect.suspend(() => {
                // Another caller may have created it while this one waited.
                const renewed = currentAt(now);
                if (renewed !== undefined)
                    return Effect.succeed(renewed);
                return Effect.map(create, ({ ttlMillis, value }) => {
                    current = { value, from: now, until: now + ttlMillis };
                    return value;
                });
            }));
        }),
        invalidate: (token) => Effect.map(Clock.currentTimeMillis, (now) => {
            if (current?.value === token && now - current.from >= minRenewalMillis)
                current = undefined;
        }),
    };
};
