import { Context, Effect, Layer } from "effect";
/**
 * A reference and not a service, because `Worker.run` is what applications call: it would then require a layer from each of
 * them that only the metrics and the operator API read. Without the layer, messages are handled as usual; the consumers
 * have no queue metrics and are not listed.
 */
export const ConsumerRegistry = Context.Reference("@armoricore/worker/ConsumerRegistry", {
    defaultValue: () => ({ register: () => Effect.void, list: () => [] }),
});
export const layer = Layer.sync(ConsumerRegistry, () => {
    const running = new Set();
    return {
        register: (consumer) => Effect.asVoid(Effect.acquireRelease(Effect.sync(() => void running.add(consumer)), () => Effect.sync(() => void running.delete(consumer)))),
        list: () => [...running],
    };
});
