/** What is wrong with settings, sentence by sentence. */
import { Effect } from "effect"
import { SettingsFault } from "../../src/Settings.ts"

export const faultsOf = <A, E extends { readonly message: string }, R>(
  settings: Effect.Effect<A, E, R>,
): Effect.Effect<ReadonlyArray<string>, A, R> =>
  Effect.map(Effect.flip(settings), (error) => (error instanceof SettingsFault ? error.faults : [error.message]))
