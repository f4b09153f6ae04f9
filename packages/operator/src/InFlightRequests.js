/**
 * Tracks unary calls in flight, so that a stopping server can finish them: an action that is already done must not
 * appear to have failed. Streams have no natural end and do not count.
 */
import { Context, Effect, Layer } from "effect";
/** The responses are sent by other fibers. */
const responseFlushMillis = 50;
export class InFlightRequests extends Context.Service()("@armoricore/operator/InFlightRequests") {
    static layer = Layer.sync(InFlightRequests, () => {
        let count = 0;
        const drainCallbacks = new Set();
        const release = () => {
            count--;
            if (count > 0)
                return;
            for (const done of drainCallbacks)
                done();
            drainCallbacks.clear();
        };
        const releaseAfterFlush = Effect.sync(() => void setTimeout(release, responseFlushMillis).unref());
        return InFlightRequests.of({
            track: (call) => Effect.acquireUseRelease(Effect.sync(() => void count++), () => call, () => releaseAfterFlush),
            onDrained: (done) => (count === 0 ? done() : void drainCallbacks.add(done)),
        });
    });
}
