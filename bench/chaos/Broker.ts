/** What a run stands on, and what can be done to it: a broker behind proxies, a cluster of three, or a data folder. */
import { layer as connection, NatsConnection } from "@armoricore/bus/nats/NatsConnection"
import * as NatsCluster from "@armoricore/testing/NatsCluster"
import * as NatsServer from "@armoricore/testing/NatsServer"
import { Effect, Random } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Disk from "./Disk.ts"
import type { Fault } from "./Nemesis.ts"
import * as Proxy from "./Proxy.ts"

export const kinds = ["nats", "nats-cluster", "embedded"] as const
export type Kind = (typeof kinds)[number]

export interface Broker {
  /** Addresses separated by commas, straight and through the proxies; empty for the embedded bus. */
  readonly direct: string
  readonly proxied: string
  readonly replicas: number
  readonly folder: string
  readonly faults: ReadonlyArray<Fault>
}

/** `disk`: what is stored lies on a disk that can be filled. Fails with the reason where there can be none. */
export const make = Effect.fnUntraced(function* (kind: Kind, disk: boolean) {
  const own = disk ? yield* Disk.make : undefined
  switch (kind) {
    case "embedded": {
      const folder = own?.path ?? (yield* temporary)
      const faults = own === undefined ? [] : [filled(own, Effect.void)]
      return { direct: "", proxied: "", replicas: 1, folder, faults } satisfies Broker
    }
    case "nats": {
      const server = yield* NatsServer.make(own === undefined ? [] : ["-sd", own.path])
      const proxy = yield* Proxy.make(server.port)
      const again = Effect.andThen(server.kill, server.restart)
      return {
        direct: server.url,
        proxied: `nats://127.0.0.1:${proxy.port}`,
        replicas: 1,
        folder: yield* temporary,
        faults: [
          { name: "kill -9 the broker", run: Effect.andThen(server.kill, Effect.delay(server.restart, "1 second")) },
          ...broken([proxy]),
          { name: "fill the stream for 2 s", run: full(server.url) },
          // This server stops storing for good once its disk was full: whoever makes room starts it anew.
          ...(own === undefined ? [] : [filled(own, again)]),
        ],
      } satisfies Broker
    }
    case "nats-cluster": {
      // Or clients would learn of the servers behind the proxies.
      const { members, urls } = yield* NatsCluster.make(["--no_advertise=true"])
      const proxies = yield* Effect.forEach(members, ({ port }) => Proxy.make(port))
      return {
        direct: urls.join(","),
        proxied: proxies.map(({ port }) => `nats://127.0.0.1:${port}`).join(","),
        replicas: 3,
        folder: yield* temporary,
        faults: [{ name: "kill -9 a member of the cluster", run: lose(members) }, ...broken(proxies)],
      } satisfies Broker
    }
  }
})

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "chaos-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })),
)

const broken = (proxies: ReadonlyArray<Proxy.Proxy>): ReadonlyArray<Fault> => {
  const all = (act: (proxy: Proxy.Proxy) => Effect.Effect<void>) => Effect.forEach(proxies, act, { discard: true })
  return [
    { name: "break every connection", run: all(({ cut }) => cut) },
    {
      name: "swallow everything for 3 s",
      run: all(({ blackhole }) => blackhole).pipe(
        Effect.andThen(Effect.sleep("3 seconds")),
        Effect.andThen(all(({ heal }) => heal)),
      ),
    },
  ]
}

/** Two of three go on without it; it has time to catch up before the next one is lost. */
const lose = (members: NatsCluster.NatsCluster["members"]) =>
  Effect.gen(function* () {
    const member = members[yield* Random.nextIntBetween(0, members.length, { halfOpen: true })]
    if (member === undefined) return
    yield* member.kill
    yield* Effect.sleep("3 seconds")
    yield* member.restart
    yield* Effect.sleep("5 seconds")
  })

const filled = ({ fill, free }: Disk.Disk, after: Effect.Effect<void>): Fault => ({
  name: "fill the disk for 2 s",
  run: fill.pipe(Effect.andThen(Effect.sleep("2 seconds")), Effect.andThen(free), Effect.andThen(after)),
})

/** The stream refuses everything for a while: its limit is what it holds. */
const full = (url: string) =>
  Effect.gen(function* () {
    const { manager } = yield* (yield* NatsConnection).jetstream
    const { config, state } = yield* Effect.promise(() => manager.streams.info("ARMORICORE"))
    yield* Effect.promise(() =>
      manager.streams.update("ARMORICORE", { ...config, max_bytes: Math.max(1, state.bytes) }),
    )
    yield* Effect.sleep("2 seconds")
    yield* Effect.promise(() => manager.streams.update("ARMORICORE", config))
  }).pipe(
    Effect.provide(connection({ servers: [url] })),
    // The broker may just be away; then it was not full.
    Effect.ignoreCause,
  )
