import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NatsConnection from "@armoricore/nats/NatsConnection"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as EmbeddedHistory from "@armoricore/history/embedded/EmbeddedHistory"
import { History } from "@armoricore/history/History"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import * as NatsHistory from "@armoricore/history/nats/NatsHistory"
import * as PostgresHistory from "@armoricore/history/postgres/PostgresHistory"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as PostgresServer from "@armoricore/testing/PostgresServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Result } from "effect"
import { nanos } from "nats"
import { behaviourSuite, retention } from "./support/BehaviourSuite.ts"

const embedded = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-history-"))),
      (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true })),
    ),
    (folder) => EmbeddedHistory.layer(retention).pipe(Layer.provide(EmbeddedEngine.layerOwner({ folder }))),
  ),
)

const connection = Layer.unwrap(
  Effect.map(NatsServer.NatsServer, ({ url }) => NatsConnection.layer({ servers: [url] })),
)
const connected = Layer.effectDiscard(Effect.flatMap(NatsConnection.NatsConnection, (nats) => nats.connected))
const ready = Layer.effectDiscard(Effect.flatMap(History, ({ setup }) => setup))
const nats = ready.pipe(
  Layer.provideMerge(NatsHistory.layer(retention)),
  Layer.provideMerge(connected),
  Layer.provide(connection),
  Layer.provide(NatsServer.layer),
)

const postgres = ready.pipe(
  Layer.provideMerge(
    Layer.unwrap(
      Effect.map(PostgresServer.PostgresServer, ({ url }) =>
        PostgresHistory.layer({ ...retention, url: Redacted.make(url) }),
      ),
    ),
  ),
  Layer.provide(PostgresServer.layer),
)

behaviourSuite("memory", MemoryHistory.layer(retention), { clock: "virtual" })
behaviourSuite("embedded", embedded, { clock: "real" })
describe.skipIf(Programs.requireProgram("nats-server").missing)("with a nats-server", () => {
  behaviourSuite("JetStream", nats, { clock: "real" })

  it.live("names the fault of an existing stream that does not republish", () =>
    Effect.gen(function* () {
      const { manager } = yield* (yield* NatsConnection.NatsConnection).jetstream
      yield* Effect.promise(() =>
        manager.streams.add({
          name: "ARMORICORE_HISTORY",
          subjects: ["armoricore-history.>"],
          max_age: nanos(Duration.toMillis(retention.maxAge)),
          max_msgs_per_subject: retention.maxPerRoom,
          duplicate_window: nanos(Math.min(300_000, Duration.toMillis(retention.maxAge))),
          allow_direct: true,
        }),
      )
      const { setup } = yield* History
      const result = yield* Effect.result(setup)
      // NATS 2.10 and newer add republishing to the stream; an older server cannot.
      if (Result.isSuccess(result)) assert.include(result.success.join(), "updated republish")
      else assert.include(result.failure.message, "does not republish")
    }).pipe(
      Effect.provide(
        NatsHistory.layer(retention).pipe(
          Layer.provideMerge(connected),
          Layer.provideMerge(connection),
          Layer.provide(NatsServer.layer),
        ),
      ),
    ),
  )
})
describe.skipIf(Programs.requireProgram("postgres").missing)("with a PostgreSQL server", () => {
  behaviourSuite("PostgreSQL", postgres, { clock: "real" })
})
