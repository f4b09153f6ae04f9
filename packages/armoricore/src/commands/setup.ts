/** `armoricore setup`: makes or checks streams, queues and buckets, so that a publisher can publish before any worker ran. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { setup as prepare } from "../Setup.ts"
import { connected } from "./connected.ts"
import { settled } from "./settled.ts"

export const setup = Command.make(
  "setup",
  {},
  Effect.fn("setup")(
    function* () {
      yield* Console.log((yield* prepare).join("\n"))
    },
    connected,
    settled,
  ),
).pipe(Command.withDescription("Creates or checks streams, queues and buckets, then exits"))
