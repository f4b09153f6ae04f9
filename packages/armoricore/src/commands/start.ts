/** `armoricore start`: runs services until SIGTERM, then drains. */
import { Console, Effect, Layer, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { withGracefulExit } from "./support/GracefulExit.ts"
import * as Program from "../app/Program.ts"
import * as SecretRotation from "../security/SecretRotation.ts"
import { serviceNames, type ServiceName } from "../app/Services.ts"
import { connectToPrimary, ClusterWorker } from "../workers/ClusterWorker.ts"
import * as ConsoleLink from "./support/ConsoleLink.ts"
import { withSettings } from "./support/WithSettings.ts"

const isServiceName = (text: string): text is ServiceName => serviceNames.some((name) => name === text)

const services = Flag.String("services").pipe(
  Flag.withDescription(`which services this process runs: ${serviceNames.join(",")}`),
  Flag.withMetavar("LIST"),
  Flag.withDefault(serviceNames.join(",")),
  Flag.filterMap(
    (text) => {
      const parts = text.split(",").map((part) => part.trim())
      return parts.length > 0 && parts.every(isServiceName)
        ? Result.getSuccess(Result.succeed(new Set(parts)))
        : Result.getSuccess(Result.fail(text))
    },
    () => `some of ${serviceNames.join(",")}, separated by commas`,
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
      const link = yield* connectToPrimary
      const { port, url } = yield* Effect.provideService(Program.serve(chosen, Layer.empty, size), ClusterWorker, link)
      // The first process speaks for its workers, and sees to it that they end.
      if (link !== undefined) return yield* link.drainRequested
      yield* Console.log(`armoricore listens on ${url} (port ${port})`)
      if (chosen.has("realtime")) yield* ConsoleLink.print(url)
      yield* SecretRotation.awaitChange
    },
    Effect.scoped,
    withGracefulExit,
    withSettings,
  ),
).pipe(Command.withDescription("Runs services until SIGTERM, which drains them"))
