/**
 * The depth of a consumer. RabbitMQ reports the number of ready messages; messages with handlers or in delay queues are
 * known for this process only, and so are ages.
 */
import { Clock, Effect } from "effect";
export const makeInFlightTracker = () => {
    const running = new Map();
    let delayedUntil = [];
    return {
        leased: (message, arrivedAt) => void running.set(message, arrivedAt),
        settled: (message) => void running.delete(message),
        delayed: (arrivedAt, until) => void delayedUntil.push({ arrivedAt, until }),
        arrivals: (now) => {
            delayedUntil = delayedUntil.filter(({ until }) => until > now);
            return [...running.values(), ...delayedUntil.map(({ arrivedAt }) => arrivedAt)];
        },
    };
};
/** A delivery in flight is neither ready nor known here: an empty result counts only when seen twice. */
const recheckDelay = "20 millis";
export const depth = (connection, queue, tracker, buffered) => {
    let waitingSince;
    const measure = Effect.gen(function* () {
        const { messageCount } = yield* connection.withChannel(`queue ${queue}`, (channel) => channel.queueDeclare({ queue, passive: true }));
        const now = yield* Clock.currentTimeMillis;
        const arrivals = tracker.arrivals(now);
        const pending = messageCount + buffered();
        waitingSince = pending === 0 ? undefined : (waitingSince ?? now);
        const oldest = arrivals.length > 0 ? Math.min(...arrivals) : (waitingSince ?? now);
        return { pending, inFlight: arrivals.length, oldestAgeMillis: Math.max(0, now - oldest) };
    });
    return Effect.flatMap(measure, (first) => first.pending + first.inFlight === 0 ? Effect.andThen(Effect.sleep(recheckDelay), measure) : Effect.succeed(first));
};
