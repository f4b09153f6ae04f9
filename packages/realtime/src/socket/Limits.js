/** The limits of the endpoint with their defaults (settings: `REALTIME_…`). */
import { Duration } from "effect";
export const defaults = {
    maxSocketsPerUser: 100,
    maxSocketsPerAddress: 10_000,
    userMessages: { perSecond: 100, burst: 1000 },
    userJoins: { perSecond: 50, burst: 500 },
    addressJoins: { perSecond: 2000, burst: 40_000 },
    maxRateLimitReplies: 256,
    maxTopics: 100,
    maxMessageBytes: 65_536,
    maxFrameBytes: 1_048_576,
    maxQueuedBytes: 1_048_576,
    stallTimeout: Duration.seconds(10),
    maxPendingMessages: 256,
    idleTimeout: Duration.seconds(75),
    sweepInterval: Duration.seconds(1),
    pollWindow: Duration.seconds(10),
    pollTimeout: Duration.seconds(15),
    closeTimeout: Duration.seconds(5),
    drainDuration: Duration.seconds(5),
};
/** A payload that is nested deeper is rejected, because decoders recurse. */
export const maxDepth = 64;
/** Whether `value` has more than `maxLevels` nested objects and arrays. */
export const isTooDeep = (value, maxLevels) => {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array)
        return false;
    if (maxLevels === 0)
        return true;
    for (const child of Object.values(value))
        if (isTooDeep(child, maxLevels - 1))
            return true;
    return false;
};
