/** The errors of invalid settings, one sentence each. */
import { Effect } from "effect"
import { SettingsError } from "../../src/settings/Settings.ts"

export const settingsErrors = <A, E extends { readonly message: string }, R>(
  settings: Effect.Effect<A, E, R>,
): Effect.Effect<ReadonlyArray<string>, A, R> =>
  Effect.map(Effect.flip(settings), (error) => (error instanceof SettingsError ? error.errors : [error.message]))
