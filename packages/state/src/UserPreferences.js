/** The preferences of users, one document each. Realtime's HTTP API writes them, notify reads them. */
import { encodeId } from "@armoricore/domain/EncodedId";
import { noPreferences, Preferences } from "@armoricore/domain/Preferences";
import { Context, Effect, Layer, Option } from "effect";
import * as Collection from "./Collection.ts";
export const userPreferences = {
    bucket: { name: "user_preference", maxAge: "never" },
    schema: Preferences,
};
export class UserPreferences extends Context.Service()("@armoricore/state/UserPreferences") {
    static layer = Layer.effect(UserPreferences, Effect.map(Collection.make(userPreferences), (documents) => {
        const valueOf = (found) => Option.match(found, { onNone: () => noPreferences, onSome: ({ value }) => value });
        return UserPreferences.of({
            get: (userId) => Effect.map(documents.get(encodeId(userId)), valueOf),
            put: Effect.fn("UserPreferences.put")(function* (userId, preferences) {
                yield* documents.put(encodeId(userId), preferences);
            }),
            update: Effect.fn("UserPreferences.update")(function* (userId, change) {
                return yield* documents.modifyOrRetry(encodeId(userId), (found) => Effect.sync(() => {
                    const next = change(valueOf(found));
                    return [next, Option.some(next)];
                }));
            }),
            clear: Effect.fn("UserPreferences.clear")(function* (userId) {
                yield* Collection.retryConflicts(documents.remove(encodeId(userId)));
            }),
        });
    }));
}
