import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as NatsConnection from "@armoricore/nats/NatsConnection";
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine";
import * as EmbeddedState from "@armoricore/state/embedded/EmbeddedState";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import * as NatsState from "@armoricore/state/nats/NatsState";
import * as PostgresState from "@armoricore/state/postgres/PostgresState";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import { describe } from "@effect/vitest";
import { Effect, Layer, Redacted } from "effect";
import { behaviourSuite } from "./support/BehaviourSuite.ts";
const embedded = Layer.unwrap(Effect.map(Effect.acquireRelease(Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-state-"))), (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))), (folder) => EmbeddedState.layer.pipe(Layer.provide(EmbeddedEngine.layerOwner({ folder })))));
const connection = Layer.unwrap(Effect.map(NatsServer.NatsServer, ({ url }) => NatsConnection.layer({ servers: [url] })));
const connected = Layer.effectDiscard(Effect.flatMap(NatsConnection.NatsConnection, (nats) => nats.connected));
const nats = NatsState.layer().pipe(Layer.provideMerge(connected), Layer.provide(connection), Layer.provide(NatsServer.layer));
const postgres = Layer.unwrap(Effect.map(PostgresServer.PostgresServer, ({ url }) => PostgresState.layer({ url: Redacted.make(url) }))).pipe(Layer.provide(PostgresServer.layer));
behaviourSuite("memory", MemoryState.layer, { clock: "virtual" });
behaviourSuite("embedded", embedded, { clock: "real" });
describe.skipIf(Programs.requireProgram("nats-server").missing)("with a nats-server", () => {
    behaviourSuite("NATS KV", nats, { clock: "real" });
});
describe.skipIf(Programs.requireProgram("postgres").missing)("with a PostgreSQL server", () => {
    behaviourSuite("PostgreSQL", postgres, { clock: "real" });
});
