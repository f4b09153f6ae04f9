import { isAllowed, quietUntil } from "@armoricore/domain/Preferences";
import { UserPreferences } from "@armoricore/state/UserPreferences";
import { Context, Effect, Layer } from "effect";
export const CategoryRules = Context.Reference("@armoricore/notify/CategoryRules", {
    defaultValue: () => ({ critical: new Set(), listed: [] }),
});
export class PreferenceRules extends Context.Service()("@armoricore/notify/PreferenceRules") {
    static layer = Layer.effect(PreferenceRules, Effect.gen(function* () {
        const preferences = yield* UserPreferences;
        const { critical } = yield* CategoryRules;
        return {
            apply: (state, now) => {
                const { category } = state.content;
                const isSettled = !state.deliveries.some(isOpenForUser);
                if (isSettled || (state.send_at ?? 0) > now || (category !== undefined && critical.has(category)))
                    return Effect.succeed(state);
                return Effect.map(preferences.get(state.user_id), (wanted) => {
                    if (!isAllowed(wanted, category, state.notification_type))
                        return suppress(state, "preference");
                    const until = wanted.quiet_hours === undefined
                        ? undefined
                        : quietUntil(wanted.quiet_hours, state.notification_type, now);
                    return until === undefined ? state : { ...state, send_at: until };
                });
            },
        };
    }));
}
/** FCM chooses the devices of a topic: they are not those of the notification's user. */
const isOpenForUser = ({ summary, target }) => summary === undefined && !("topic" in target || "condition" in target);
/** Ends the open deliveries to the user. */
export const suppress = (state, reason) => ({
    ...state,
    deliveries: state.deliveries.map((entry) => isOpenForUser(entry)
        ? { ...entry, summary: { channel: entry.target.channel, provider: "none", status: "suppressed", reason } }
        : entry),
});
