/** `armoricore check-config`: the configuration as the program would use it, or every fault in it. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { Ended } from "../Failure.ts"
import { describe, Settings } from "../Settings.ts"

export const checkConfig = Command.make("check-config", {}, () =>
  Settings.pipe(
    Effect.flatMap((settings) => Console.log(describe(settings).join("\n"))),
    Effect.provide(Settings.layer),
    Effect.catchTag("SettingsFault", ({ faults }) =>
      Effect.andThen(Console.error(faults.join("\n")), Effect.fail(new Ended({ code: 1 }))),
    ),
  ),
).pipe(Command.withDescription("Prints the configuration, secrets left out; names every fault in it"))
