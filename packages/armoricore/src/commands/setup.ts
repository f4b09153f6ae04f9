/** `armoricore setup`: makes or checks streams, queues and buckets, so that a publisher can publish before any worker ran. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { setupAll as prepare } from "../app/Setup.ts"
import { withAdapters, withSettings } from "./support.ts"

export const setup = Command.make(
  "setup",
  {},
  Effect.fn("setup")(
    function* () {
      yield* Console.log((yield* prepare).join("\n"))
    },
    withAdapters,
    withSettings,
  ),
).pipe(Command.withDescription("Creates or checks streams, queues and buckets, then exits"))
