/** `armoricore start`: runs services until SIGTERM, then drains. */
import { Console, Effect, Layer, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { drained } from "../Drained.ts"
import * as Program from "../Program.ts"
import * as Rotation from "../Rotation.ts"
import { names, type ServiceName } from "../Services.ts"
import { settled } from "./settled.ts"

const isName = (text: string): text is ServiceName => names.some((name) => name === text)

const services = Flag.String("services").pipe(
  Flag.withDescription(`which services this process runs: ${names.join(",")}`),
  Flag.withMetavar("LIST"),
  Flag.withDefault(names.join(",")),
  Flag.filterMap(
    (text) => {
      const parts = text.split(",").map((part) => part.trim())
      return parts.length > 0 && parts.every(isName)
        ? Result.getSuccess(Result.succeed(new Set(parts)))
        : Result.getSuccess(Result.fail(text))
    },
    () => `some of ${names.join(",")}, separated by commas`,
  ),
)

export const start = Command.make(
  "start",
  { services },
  Effect.fn("start")(
    function* ({ services: chosen }) {
      const { port, url } = yield* Program.serve(chosen, Layer.empty)
      yield* Console.log(`armoricore listens on ${url} (port ${port})`)
      yield* Rotation.ended
    },
    Effect.scoped,
    drained,
    settled,
  ),
).pipe(Command.withDescription("Runs services until SIGTERM, which drains them"))
