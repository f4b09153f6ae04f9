/** `armoricore start`: runs services until SIGTERM, then drains. */
import { Effect, Layer } from "effect"
import { Command, Flag } from "effect/cli"
import * as Program from "../app/Program.ts"
import * as StartMemory from "../app/StartMemory.ts"
import * as SecretRotation from "../security/SecretRotation.ts"
import { ClusterWorker } from "../workers/ClusterWorker.ts"
import { servicesFlag } from "./services-flag.ts"
import { withShownDefault } from "./output.ts"
import { printConsoleLink, printStartLine, withGracefulExit } from "./support.ts"
import { withSettings } from "./with-settings.ts"

const services = servicesFlag("the services of this process")

const realtimeWorkers = Flag.Int("realtime-workers").pipe(
  Flag.withMetavar("N"),
  withShownDefault("number of processes for sockets; they share the port, and each uses one core", 1),
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
      yield* StartMemory.releaseOnce
      // The primary process prints the address, and decides when its workers end.
      if (primary !== undefined) return yield* primary.drainRequested
      yield* printStartLine(`armoricore listens on ${url} (port ${port})`)
      if (names.has("realtime")) yield* printConsoleLink(url)
      yield* SecretRotation.awaitChange
    },
    Effect.provide(ClusterWorker.layer),
    Effect.scoped,
    withGracefulExit,
    withSettings,
  ),
)
