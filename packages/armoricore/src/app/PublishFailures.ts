/**
 * Remembers that the bus refused a message because it is full. Only a publish tells: a full stream, queue or disk can still
 * be read.
 */
import { EventBus, withoutBatches } from "@armoricore/bus/EventBus"
import { Clock, Context, Effect, Layer } from "effect"

export class PublishFailures extends Context.Service<
  PublishFailures,
  {
    /** The reason, while the last publish of the last minute was refused. */
    readonly full: Effect.Effect<string | undefined>
  }
>()("@armoricore/armoricore/PublishFailures") {}

/** After this time without a publish the process counts as ready again, so that the next publish can tell. */
const memoryMillis = 60_000

/** Wraps the bus. */
export const layer: Layer.Layer<EventBus | PublishFailures, never, EventBus> = Layer.effectContext(
  Effect.gen(function* () {
    const bus = yield* EventBus
    let refused: { readonly at: number; readonly message: string } | undefined
    const publish: EventBus["Service"]["publish"] = (message) =>
      bus.publish(message).pipe(
        Effect.tapError((error) =>
          error._tag === "TransientError" && error.code === "full"
            ? Effect.map(Clock.currentTimeMillis, (at) => void (refused = { at, message: error.message }))
            : Effect.void,
        ),
        Effect.tap(() => Effect.sync(() => void (refused = undefined))),
      )
    return Context.make(EventBus, EventBus.of({ ...withoutBatches(bus), publish })).pipe(
      Context.add(PublishFailures, {
        full: Effect.map(Clock.currentTimeMillis, (now) =>
          refused !== undefined && now - refused.at < memoryMillis ? refused.message : undefined,
        ),
      }),
    )
  }),
)
