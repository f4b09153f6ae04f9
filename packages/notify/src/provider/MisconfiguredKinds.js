/**
 * The kinds of targets that a provider rejects because of its own configuration, for example all Apple devices when the
 * Firebase project has no APNs key. Each kind raises one alarm per pause. The provider stays in use, because only its
 * response tells the kind of a target.
 */
import { Duration, Effect } from "effect";
import * as Metrics from "../NotifyMetrics.ts";
export const make = (provider, delay, clock) => {
    const delayMillis = Duration.toMillis(delay);
    /** The end of the pause of messages to such targets, by kind. */
    const pausedUntil = new Map();
    const setGauge = (kind, on) => Metrics.setGauge(Metrics.providerPaused, `${provider} to ${kind}`, on);
    const removeBefore = (before) => {
        const expired = [...pausedUntil].flatMap(([kind, until]) => until < before && pausedUntil.delete(kind) ? [kind] : []);
        return Effect.forEach(expired, (kind) => setGauge(kind, false), { discard: true });
    };
    return {
        add: ({ kind, message }) => {
            const now = clock.currentTimeMillisUnsafe();
            if ((pausedUntil.get(kind) ?? 0) > now)
                return undefined;
            pausedUntil.set(kind, now + delayMillis);
            return Effect.andThen(setGauge(kind, true), Effect.logError(`ALARM: the provider ${provider} cannot reach ${kind}, messages to them wait: ${message}`, {
                provider,
            }));
        },
        // Waiting messages are sent again at most a quarter of the delay after the pause; a further delay is enough.
        expire: () => (pausedUntil.size === 0 ? undefined : removeBefore(clock.currentTimeMillisUnsafe() - delayMillis)),
        reset: Effect.suspend(() => removeBefore(Infinity)),
    };
};
