/** The durable consumers of this process, for queue metrics and the operator API. Without the Layer the list is empty. */
import type { Consumer } from "@armoricore/bus/EventBus"
import { Context, Effect, Layer, type Scope } from "effect"

export interface RunningConsumer extends Pick<Consumer, "depth" | "running"> {
  /** The durable's name, for example `media-media-uploaded`. */
  readonly name: string
  readonly service: string
}

export interface ConsumerRegistry {
  /** Registered until the scope closes. */
  readonly register: (consumer: RunningConsumer) => Effect.Effect<void, never, Scope.Scope>
  readonly list: () => ReadonlyArray<RunningConsumer>
}

/**
 * A reference and not a service, because `Worker.run` is what applications call: it would then require a layer from each of
 * them that only the metrics and the operator API read. Without the layer, messages are handled as usual; the consumers
 * have no queue metrics and are not listed.
 */
export const ConsumerRegistry = Context.Reference<ConsumerRegistry>("@armoricore/worker/ConsumerRegistry", {
  defaultValue: () => ({ register: () => Effect.void, list: () => [] }),
})

export const layer: Layer.Layer<never> = Layer.sync(ConsumerRegistry, () => {
  const running = new Set<RunningConsumer>()
  return {
    register: (consumer) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => void running.add(consumer)),
          () => Effect.sync(() => void running.delete(consumer)),
        ),
      ),
    list: () => [...running],
  }
})
