import { Effect, Exit, FiberSet, RcMap, Schedule, Scope } from "effect";
const idleTimeToLive = "10 seconds";
const readyTimeout = "2 seconds";
const retryInterval = "1 second";
export const make = Effect.fnUntraced(function* (options) {
    const { topics, isConnected } = options;
    const readyTopics = new Set();
    const subscriptions = yield* RcMap.make({
        idleTimeToLive,
        lookup: (topic) => acquireWithRetry(topic, options.acquire(topic)).pipe(Effect.andThen(Effect.acquireRelease(Effect.sync(() => void readyTopics.add(topic)), () => Effect.sync(() => void readyTopics.delete(topic))))),
    });
    const fork = yield* FiberSet.makeRuntime();
    /** One fiber for each topic with subscribers; it holds the topic's reference until the last subscriber leaves. */
    const references = new Map();
    const open = (topic) => {
        if (references.has(topic) || topics.subscriberCount(topic) === 0)
            return;
        references.set(topic, fork(Effect.scoped(Effect.andThen(RcMap.get(subscriptions, topic), Effect.never))));
    };
    yield* topics.onVacated((topic) => {
        references.get(topic)?.interruptUnsafe();
        references.delete(topic);
    });
    return {
        open,
        isReady: (topic) => readyTopics.has(topic),
        awaitReady: (topic) => Effect.suspend(() => {
            open(topic);
            if (readyTopics.has(topic) || !isConnected())
                return Effect.void;
            return Effect.asVoid(Effect.timeoutOption(Effect.scoped(RcMap.get(subscriptions, topic)), readyTimeout));
        }),
    };
});
/** Each attempt has its own scope, so that a failed one leaves no subscription behind. */
const acquireWithRetry = (topic, acquire) => Effect.gen(function* () {
    const attempt = yield* Scope.fork(yield* Effect.scope);
    yield* Effect.onExit(Scope.provide(acquire, attempt), (exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(attempt, exit));
}).pipe(Effect.tapError((error) => Effect.logWarning(`cannot subscribe to ${topic} of other nodes: ${error.message}`)), Effect.retry(Schedule.spaced(retryInterval)), Effect.orDie);
