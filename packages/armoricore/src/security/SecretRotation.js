/**
 * Detects settings that change while the program runs, in a mounted file or in the secret store. It reads them again at an
 * interval, and logs the names of changed settings, never their values.
 *
 * TLS certificates (`Server`) and JWKS keys are reloaded in place. Every other change takes effect at the next start: with
 * `SETTINGS_ON_CHANGE=drain` the program drains and exits, and its supervisor restarts it.
 */
import { Duration, Effect, Result, Schedule } from "effect";
import { Settings, loadRawSettings, RawSettings } from "../settings/Settings.ts";
const changedNames = (before, after) => {
    const textOf = (from, name) => {
        const text = from.get(name);
        return text === undefined || Result.isFailure(text) ? undefined : text.success;
    };
    return [...after.keys(), ...before.keys()].filter((name, index, all) => all.indexOf(name) === index && textOf(before, name) !== textOf(after, name));
};
/** Completes when the program should exit because settings changed. */
export const awaitChange = Effect.gen(function* () {
    const { SETTINGS_ON_CHANGE: onChange, SETTINGS_REFRESH_INTERVAL: interval } = yield* Settings;
    if (Duration.toMillis(interval) <= 0)
        return yield* Effect.never;
    let known = yield* RawSettings;
    for (;;) {
        yield* Effect.sleep(interval);
        const latest = yield* readWithRetry;
        const changedSettings = changedNames(known, latest);
        known = latest;
        if (changedSettings.length === 0)
            continue;
        const settings = changedSettings.join(", ");
        if (onChange === "drain") {
            yield* Effect.logInfo(`${settings} changed; draining, so that a restart applies the new values`);
            return;
        }
        yield* Effect.logWarning(`${settings} changed; restart the program to apply the new values (SETTINGS_ON_CHANGE=drain exits automatically)`);
    }
});
/** While the store is unavailable, the settings count as unchanged. */
const readWithRetry = loadRawSettings.pipe(Effect.tapError((error) => Effect.logWarning(`cannot read the settings again; retrying: ${error.message}`)), Effect.retry(Schedule.spaced("1 minute")));
