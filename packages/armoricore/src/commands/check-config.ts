/** `armoricore check-config`: the configuration as the program would use it, or every fault in it. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { ExitCode } from "../app/CommandErrors.ts"
import { describe, Settings } from "../settings/Settings.ts"

export const checkConfig = Command.make("check-config", {}, () =>
  Settings.pipe(
    Effect.flatMap((settings) => Console.log(describe(settings).join("\n"))),
    Effect.provide(Settings.layer),
    Effect.catchTag("SettingsError", ({ errors }) =>
      Effect.andThen(Console.error(errors.join("\n")), Effect.fail(new ExitCode({ code: 1 }))),
    ),
  ),
).pipe(Command.withDescription("Prints the configuration, secrets left out; names every fault in it"))
