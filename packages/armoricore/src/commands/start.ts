/** `armoricore start`: runs services until SIGTERM, then drains. */
import { Console, Effect, Layer, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { drained } from "../Drained.ts"
import * as Program from "../Program.ts"
import * as Rotation from "../Rotation.ts"
import { names, type ServiceName } from "../Services.ts"
import { connect, WorkerLink } from "../workers/WorkerLink.ts"
import * as ConsoleLink from "../ConsoleLink.ts"
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

const realtimeWorkers = Flag.Int("realtime-workers").pipe(
  Flag.withDescription("processes that share the port and the sockets, one for each core that realtime may use"),
  Flag.withMetavar("N"),
  Flag.withDefault(1),
  Flag.filter(
    (count) => count >= 1 && count <= 256,
    (count) => `--realtime-workers is ${count}; it must be from 1 to 256`,
  ),
)

export const start = Command.make(
  "start",
  { services, realtimeWorkers },
  Effect.fnUntraced(
    function* ({ services: chosen, realtimeWorkers: size }) {
      const link = yield* connect
      const { port, url } = yield* Effect.provideService(Program.serve(chosen, Layer.empty, size), WorkerLink, link)
      // The first process speaks for its workers, and sees to it that they end.
      if (link !== undefined) return yield* link.drainAsked
      yield* Console.log(`armoricore listens on ${url} (port ${port})`)
      if (chosen.has("realtime")) yield* ConsoleLink.print(url)
      yield* Rotation.ended
    },
    Effect.scoped,
    drained,
    settled,
  ),
).pipe(Command.withDescription("Runs services until SIGTERM, which drains them"))
