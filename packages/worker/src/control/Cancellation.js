/**
 * Cancels jobs. The ledger record decides; an ephemeral message makes the cancellation prompt. A cancelled job ends like a
 * permanent failure: its handler is interrupted, and `onFailure` gets the code `cancelled`. A job may be cancelled before
 * its message arrives.
 */
import { ephemeral } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { Context, Effect, Layer } from "effect";
import { Ledger } from "../ledger/Ledger.ts";
export class Cancellation extends Context.Service()("@armoricore/worker/Cancellation") {
    static layer = Layer.effect(Cancellation, Effect.gen(function* () {
        const bus = yield* EventBus;
        const ledger = yield* Ledger;
        return Cancellation.of({
            cancel: Effect.fnUntraced(function* (consumer, eventId, reason) {
                const key = `${consumer}.${eventId}`;
                const isCancelled = yield* ledger.cancel(key, reason);
                // A worker that misses this message finds the cancellation when it renews its lease.
                if (isCancelled)
                    yield* Effect.ignore(bus.broadcast(address, new TextEncoder().encode(key)));
                return isCancelled;
            }),
        });
    }));
}
/** The message is the ledger key of the cancelled job. */
export const address = ephemeral("job.cancelled");
/** The event id of a message on {@link address}. */
export const eventIdOf = (body) => new TextDecoder().decode(body).replace(/^[^.]*\./, "");
/** Subscribes until the scope closes. */
export const listen = Effect.gen(function* () {
    const bus = yield* EventBus;
    const jobs = new Map();
    yield* bus.subscribe(address, ({ body }) => jobs.get(new TextDecoder().decode(body))?.());
    return {
        add: (key, onCancelled) => void jobs.set(key, onCancelled),
        remove: (key) => void jobs.delete(key),
    };
});
