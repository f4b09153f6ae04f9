import * as Collection from "@armoricore/state/Collection";
import { KeyValue } from "@armoricore/state/KeyValue";
import { unsubscribeKeys } from "@armoricore/state/NotificationStates";
import { Effect, Option, Redacted } from "effect";
const name = "key.unsubscribe";
export const sharedKey = Effect.gen(function* () {
    // The routes need the key before the program creates its buckets.
    yield* (yield* KeyValue).setup([unsubscribeKeys.bucket]);
    const keys = yield* Collection.make(unsubscribeKeys);
    const key = yield* keys
        .modify(name, (stored) => Effect.sync(() => {
        if (Option.isSome(stored))
            return [stored.value.value.key, Option.none()];
        const fresh = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
        return [fresh, Option.some({ key: fresh })];
    }))
        .pipe(Effect.catchTag("Conflict", Effect.die));
    return Redacted.make(key);
});
