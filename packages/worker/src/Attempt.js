/** One attempt at a message, and what its end leads to: messages to publish, or the time of the next attempt. */
import { TransientError } from "@armoricore/domain/Errors";
import { Cause, Clock, Duration, Effect, Exit, Fiber, Option, Result } from "effect";
import { retryDelay } from "./RetryPolicy.ts";
import * as Metrics from "./WorkerMetrics.ts";
/**
 * Starts the work at once. Work that is synchronous ends here and needs no lease renewal, no timeout and no cancellation;
 * only work that suspends is awaited by `watch`. If that fails or is interrupted, the work is interrupted too.
 */
export const runInline = (work, watch) => Exit.isExit(work)
    ? work
    : Effect.contextWith((context) => Effect.uninterruptibleMask((restore) => {
        const fiber = Effect.runForkWith(context)(work);
        return (fiber.pollUnsafe() ??
            Effect.ensuring(restore(watch(fiber)), Effect.suspend(() => (fiber.pollUnsafe() === undefined ? Fiber.interrupt(fiber) : Effect.void))));
    }));
/** Maps the exit of a handler. A lost lease stays a `Conflict`, an interruption stays an interruption. */
export const classify = (options, message, exit) => Exit.isSuccess(exit)
    ? Effect.succeed({ _tag: "Done", result: "succeeded", messages: exit.value, attempts: options.attempts + 1 })
    : classifyFailure(options, message, exit.cause);
const classifyFailure = Effect.fnUntraced(function* (options, message, cause) {
    if (Cause.hasInterruptsOnly(cause))
        return yield* Effect.interrupt;
    const { attempts, misconfigurationDelay, service } = options;
    const error = Option.getOrElse(Cause.findErrorOption(cause), () => internalError(service, cause));
    switch (error._tag) {
        case "Conflict":
            return yield* error;
        case "PermanentError": {
            yield* Effect.logInfo(`The message failed permanently: ${error.message}`, { code: error.code });
            return yield* failureResult("failed", message, error, attempts + 1);
        }
        case "InvalidEvent": {
            const { message: text, path, reason } = error;
            return {
                _tag: "Done",
                result: "rejected",
                messages: [],
                attempts: attempts + 1,
                deadLetter: { reason, message: text, path },
            };
        }
        case "ConfigurationError": {
            yield* Effect.logError(`The configuration is wrong: ${error.message}`, { setting: error.setting });
            yield* Metrics.increment(Metrics.retried, service, { type: message.type, reason: "configuration" });
            return { _tag: "Retry", after: misconfigurationDelay, countsAsAttempt: false };
        }
        case "TransientError":
            return error.countsAsAttempt === false
                ? yield* snooze(options, message, error)
                : yield* retryOrExhaust(options, message, error, cause);
    }
});
const internalError = (service, cause) => new TransientError({
    dependency: service,
    code: "internal_error",
    message: "the service had an unexpected error",
    cause: Cause.squash(cause),
});
const snooze = Effect.fnUntraced(function* ({ policy, service }, { type }, error) {
    yield* Metrics.increment(Metrics.retried, service, { type, reason: error.code });
    return { _tag: "Retry", after: yield* retryDelay(policy, 1, error.retryAfterMillis), countsAsAttempt: false };
});
const retryOrExhaust = Effect.fnUntraced(function* ({ attempts, policy, service }, message, error, cause) {
    const failures = attempts + 1;
    const isTyped = Result.isSuccess(Cause.findError(cause));
    yield* Effect.logWarning(`Attempt ${failures} of ${policy.maxAttempts} failed: ${error.message}`, {
        dependency: error.dependency,
        code: error.code,
        ...(isTyped ? {} : { cause: Cause.pretty(cause) }),
    });
    if (failures >= policy.maxAttempts)
        return yield* exhausted(message, error, failures);
    yield* Metrics.increment(Metrics.retried, service, { type: message.type, reason: error.code });
    return { _tag: "Retry", after: yield* retryDelay(policy, failures, error.retryAfterMillis), countsAsAttempt: true };
});
const failureResult = (result, { onFailure }, { code, message }, attempts) => Effect.map(Clock.currentTimeMillis, (now) => ({
    _tag: "Done",
    result,
    messages: onFailure({ code, message }, new Date(now).toISOString()),
    attempts,
}));
/** The last attempt failed: the failure is published and the message becomes a dead letter. */
export const exhausted = (message, reason, attempts) => Effect.map(failureResult("exhausted", message, reason, attempts), (result) => ({
    ...result,
    deadLetter: { reason: reason.code, message: reason.message },
}));
/** An operator or the user cancelled the job. */
export const cancelled = (message, reason, attempts) => failureResult("cancelled", message, { code: "cancelled", message: reason }, attempts);
