import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import * as NatsBus from "../src/nats/NatsBus.ts"
import { behaviour } from "./behaviour.ts"

const program = Programs.need("nats-server")

describe.skipIf(program.missing)("on a real nats-server", () => {
  behaviour({
    open: Effect.map(NatsServer.make(), ({ url }) =>
      Effect.sync(() => NatsBus.layerConnected({ servers: [url], maxBytes: 64 * 1024 ** 2 })),
    ),
    shared: true,
  })
})
