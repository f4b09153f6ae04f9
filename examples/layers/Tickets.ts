/** A handler of one's own on the worker loop: every failed upload becomes a ticket in somebody's ticket system. */
import type { PermanentError, TransientError } from "@armoricore/domain/Errors"
import { on, Worker } from "@armoricore/worker"
import { Context, Effect, Layer } from "effect"

/** What the handler needs of the world, as a port: the real one is a Layer, the test's another. */
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
    // The service's name is part of its consumers' names: give yours a queue of its own.
    yield* Worker.run("operator", [
      on("media.failed", {
        concurrency: 4,
        // The event's id, so that a repetition after a crash opens no second ticket. A TransientError is tried again
        // with backoff; nothing here knows of retries, leases or acknowledgements.
        handle: (event) =>
          Effect.as(tickets.open(event.event_id, `${event.payload.media_id}: ${event.payload.error.message}`), []),
        onFailure: () => [],
      }),
    ])
  }),
)
