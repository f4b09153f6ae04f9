/** `armoricore start`: runs services until SIGTERM, then drains. */
import { Console, Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import * as Program from "../app/Program.ts"
import * as SecretRotation from "../security/SecretRotation.ts"
import { serviceNames, type ServiceName } from "../app/Services.ts"
import { ClusterWorker } from "../workers/ClusterWorker.ts"
import { printConsoleLink, withGracefulExit, withSettings } from "./support.ts"

const isServiceName = (text: string): text is ServiceName => serviceNames.some((name) => name === text)

const services = Flag.String("services").pipe(
  Flag.withDescription(`the services of this process, separated by commas: ${serviceNames.join(",")}`),
  Flag.withMetavar("LIST"),
  Flag.withDefault(serviceNames.join(",")),
  Flag.filterMap(
    (text) => {
      const parts = text.split(",").map((part) => part.trim())
      return parts.every(isServiceName) ? Option.some(new Set(parts)) : Option.none()
    },
    () => `some of ${serviceNames.join(",")}, separated by commas`,
  ),
)

const realtimeWorkers = Flag.Int("realtime-workers").pipe(
  Flag.withDescription("number of processes for sockets; they share the port, and each uses one core"),
  Flag.withMetavar("N"),
  Flag.withDefault(1),
  Flag.filter(
    (count) => count >= 1 && count <= 256,
    (count) => `--realtime-workers must be from 1 to 256, but is ${count}`,
  ),
)

export const start = Command.make(
  "start",
  { services, realtimeWorkers },
  Effect.fnUntraced(
    function* ({ services: names, realtimeWorkers: size }) {
      const { primary } = yield* ClusterWorker
      const { port, url } = yield* Program.serve(names, Layer.empty, size)
      // The primary process prints the address, and decides when its workers end.
      if (primary !== undefined) return yield* primary.drainRequested
      yield* Console.log(`armoricore listens on ${url} (port ${port})`)
      if (names.has("realtime")) yield* printConsoleLink(url)
      yield* SecretRotation.awaitChange
    },
    Effect.provide(ClusterWorker.layer),
    Effect.scoped,
    withGracefulExit,
    withSettings,
  ),
)
