/**
 * Remembers that the bus refused a message because it is full. Only a publish tells: a full stream, queue or disk can still
 * be read.
 */
import { EventBus, type OutgoingMessage, type PublishExit } from "@armoricore/bus/EventBus"
import { Clock, Context, Effect, Exit, Layer, Option } from "effect"

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
    const observe = (exit: PublishExit, at: number): void => {
      if (Exit.isSuccess(exit)) return void (refused = undefined)
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (error?._tag === "TransientError" && error.code === "full") refused = { at, message: error.message }
    }
    const publish: EventBus["Service"]["publish"] = (message) =>
      Effect.onExit(bus.publish(message), (exit) => Effect.map(Clock.currentTimeMillis, (at) => observe(exit, at)))
    const { publishMany } = bus
    const batches =
      publishMany === undefined
        ? {}
        : {
            publishMany: (messages: ReadonlyArray<OutgoingMessage>) =>
              Effect.tap(publishMany(messages), (exits) =>
                Effect.map(Clock.currentTimeMillis, (at) => exits.forEach((exit) => observe(exit, at))),
              ),
          }
    return Context.make(EventBus, EventBus.of({ ...bus, publish, ...batches })).pipe(
      Context.add(PublishFailures, {
        full: Effect.map(Clock.currentTimeMillis, (now) =>
          refused !== undefined && now - refused.at < memoryMillis ? refused.message : undefined,
        ),
      }),
    )
  }),
)
