/** `armoricore setup`: creates or checks streams, queues and buckets, so that publishers can publish before any worker runs. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { setupAll } from "../app/Setup.ts"
import { withAdapters, withSettings } from "./support.ts"

export const setup = Command.make(
  "setup",
  {},
  Effect.fn("setup")(
    function* () {
      yield* Console.log((yield* setupAll).join("\n"))
    },
    withAdapters,
    withSettings,
  ),
)
