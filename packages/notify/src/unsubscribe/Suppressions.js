import { SuppressionList } from "@armoricore/state/SuppressionList";
import { Context, Effect, Layer, Option } from "effect";
import { hashOf } from "../request/Target.ts";
export class Suppressions extends Context.Service()("@armoricore/notify/Suppressions") {
    static layer = Layer.effect(Suppressions, Effect.map(SuppressionList, (list) => ({
        reasonFor: (target, category) => {
            if (target.channel !== "email")
                return Effect.succeed(undefined);
            const hash = hashOf(target);
            const reasonAt = (category) => Effect.map(list.get(hash, category), (entry) => (Option.isSome(entry) ? entry.value.reason : undefined));
            const addressReason = reasonAt();
            return category === undefined
                ? addressReason
                : Effect.flatMap(addressReason, (reason) => reason === undefined ? reasonAt(category) : Effect.succeed(reason));
        },
        reasonForHash: (hash, category) => Effect.map(list.get(hash, category), (entry) => (Option.isSome(entry) ? entry.value.reason : undefined)),
        add: Effect.fn("Suppressions.add")(function* (hash, addition, category) {
            // Hashes and categories of this service are valid.
            yield* list.add({ hash, category }, addition).pipe(Effect.catchTag("PermanentError", Effect.die));
        }),
        remove: Effect.fn("Suppressions.remove")(function* (hash, category) {
            yield* list.remove({ hash, category }).pipe(Effect.catchTag("PermanentError", Effect.die));
        }),
    }))).pipe(Layer.provide(SuppressionList.layer));
    static layerNone = Layer.succeed(Suppressions, {
        reasonFor: () => Effect.succeed(undefined),
        reasonForHash: () => Effect.succeed(undefined),
        add: () => Effect.void,
        remove: () => Effect.void,
    });
}
