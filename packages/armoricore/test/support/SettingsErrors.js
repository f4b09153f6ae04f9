/** The errors of invalid settings, one sentence each. */
import { Effect } from "effect";
import { SettingsError } from "../../src/settings/Settings.ts";
export const settingsErrors = (settings) => Effect.map(Effect.flip(settings), (error) => (error instanceof SettingsError ? error.errors : [error.message]));
