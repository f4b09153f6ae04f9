import { on, Worker } from "@armoricore/worker";
import { Context, Effect, Layer } from "effect";
/** The port of the handler. Production and tests provide different Layers for it. */
export class TicketSystem extends Context.Service()("example/TicketSystem") {
}
export const layer = Layer.effectDiscard(Effect.gen(function* () {
    const tickets = yield* TicketSystem;
    // The service's name is part of its consumer's name, so this handler has its own queue.
    yield* Worker.run("tickets", [
        on("media.failed", {
            concurrency: 4,
            // With the event id, a redelivery after a crash does not open a second ticket. The worker retries a
            // TransientError with backoff; it also manages leases and acknowledgements.
            handle: (event) => Effect.as(tickets.open(event.event_id, `${event.payload.media_id}: ${event.payload.error.message}`), []),
            onFailure: () => [],
        }),
    ]);
}));
