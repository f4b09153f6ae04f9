/**
 * Watches the handlers of one consumer that have suspended: it ends a handler at its timeout, renews its lease, and ends it
 * when the lease is lost or the job is cancelled. A handler costs two entries of a set. Racing it against a fiber for each
 * of these took a quarter of the CPU of a lone push (measured, bench/notify).
 */
import { Conflict, TransientError } from "@armoricore/domain/Errors";
import { Cause, Duration, Effect, Exit, Option } from "effect";
import * as FixedDelay from "./FixedDelay.ts";
export const make = Effect.fnUntraced(function* ({ leaseDuration, runningJobs, service, timeout, }) {
    const leaseMillis = Duration.toMillis(leaseDuration);
    const timeouts = yield* FixedDelay.make(timeout);
    const renewals = yield* FixedDelay.make(Duration.millis(leaseMillis / 3));
    const renewalRetries = yield* FixedDelay.make(Duration.millis(leaseMillis / 10));
    const fork = Effect.runForkWith(yield* Effect.context());
    /** Renews until `onLost`. A renewal that runs at the end of the handler is not interrupted: the decision waits for it. */
    const keepLease = (renew, onLost) => {
        let cancel = () => { };
        let isOver = false;
        const renewOnce = () => {
            fork(renew).addObserver((exit) => {
                if (isOver)
                    return;
                if (Exit.isSuccess(exit)) {
                    cancel = renewals.schedule(renewOnce);
                    return;
                }
                const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause));
                if (error === undefined || error._tag === "TransientError")
                    cancel = renewalRetries.schedule(renewOnce);
                else
                    onLost(error);
            });
        };
        cancel = renewals.schedule(renewOnce);
        return () => {
            isOver = true;
            cancel();
        };
    };
    /** `watch` starts what may end the handler, and returns the function that stops it. */
    const awaitEnd = (handler, watch) => Effect.callback((resume) => {
        let reason;
        const end = (error) => {
            if (reason !== undefined)
                return;
            reason = error;
            handler.interruptUnsafe();
        };
        const cancelTimeout = timeouts.schedule(() => end(timeoutError(service, timeout)));
        const stop = watch(end);
        handler.addObserver((exit) => {
            cancelTimeout();
            stop();
            resume(reason === undefined ? exit : Effect.fail(reason));
        });
    });
    return {
        await: (handler, { key, renew }) => awaitEnd(handler, (end) => {
            const stopRenewing = keepLease(renew, end);
            runningJobs.add(key, () => end(new Conflict({ key })));
            return () => {
                stopRenewing();
                runningJobs.remove(key);
            };
        }),
        awaitUnleased: (handler) => awaitEnd(handler, () => () => { }),
    };
});
const timeoutError = (service, timeout) => new TransientError({
    dependency: service,
    code: "timeout",
    message: `the work took longer than ${Duration.format(timeout)}`,
});
