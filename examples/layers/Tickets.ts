/** A custom handler on the worker loop: it opens a ticket for every failed upload. */
import type { PermanentError, TransientError } from "@armoricore/domain/Errors"
import { on, Worker } from "@armoricore/worker"
import { Context, Effect, Layer } from "effect"

/** The port of the handler. Production and tests provide different Layers for it. */
export class TicketSystem extends Context.Service<
  TicketSystem,
  {
    /** Opening the same `id` again changes nothing. */
    readonly open: (id: string, text: string) => Effect.Effect<void, TransientError | PermanentError>
  }
>()("example/TicketSystem") {}

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const tickets = yield* TicketSystem
    // The service's name is part of its consumer's name, so this handler has its own queue.
    yield* Worker.run("tickets", [
      on("media.failed", {
        concurrency: 4,
        // With the event id, a redelivery after a crash does not open a second ticket. The worker retries a
        // TransientError with backoff; it also manages leases and acknowledgements.
        handle: (event) =>
          Effect.as(tickets.open(event.event_id, `${event.payload.media_id}: ${event.payload.error.message}`), []),
        onFailure: () => [],
      }),
    ])
  }),
)
