/**
 * What a page of a large room costs, by its place: 50 messages at the start, in the middle and at the end, in both directions,
 * and the message with a given id. The room is on the embedded engine, PostgreSQL and NATS.
 *
 * A cost is the median time of the calls, which alternate between the places. NATS and PostgreSQL are filled by their own
 * clients, because what is measured is the reading. Usage: `npm run bench:history [-- items [adapter…]]`.
 */
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as EmbeddedHistory from "@armoricore/history/embedded/EmbeddedHistory"
import { History, type PageRequest } from "@armoricore/history/History"
import * as NatsHistory from "@armoricore/history/nats/NatsHistory"
import { indexEntryOf, messageIdOf, streamName, subjectOf } from "@armoricore/history/nats/NatsHistoryStream"
import * as PostgresHistory from "@armoricore/history/postgres/PostgresHistory"
import { NatsConnection, layer as natsConnection } from "@armoricore/nats/NatsConnection"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as PostgresServer from "@armoricore/testing/PostgresServer"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Console, Context, Effect, FileSystem, Layer, Redacted } from "effect"
import { headers } from "nats"
import { runBenchmark } from "../cli.ts"
import * as Results from "../Results.ts"

const items = Number(process.argv[2] ?? 1_000_000)
const adapters = process.argv.slice(3)
const calls = 60
const limit = 50
const room = "chat:room:large"
const retention = { maxPerRoom: items }

const idOf = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`
const bodyOf = (id: string): string =>
  JSON.stringify({
    event: "new_message",
    payload: {
      id,
      content: "Somewhere in the middle of a long conversation",
      user_id: "user-1",
      room_id: "large",
      timestamp: "2026-01-31T12:00:00.000Z",
    },
  })
const encoder = new TextEncoder()

type Service = History["Service"]

const embedded = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-history-" })
  const services = yield* Layer.build(
    EmbeddedHistory.layer(retention).pipe(Layer.provide(EmbeddedEngine.layerOwner({ folder }))),
  )
  const history = Context.get(services, History)
  yield* Effect.forEach(
    Array.from({ length: items }, (_, index) => idOf(index)),
    (id) => history.append(room, id, encoder.encode(bodyOf(id))),
    { concurrency: 512, discard: true },
  )
  return history
})

const postgres = Effect.gen(function* () {
  const { url } = yield* PostgresServer.make()
  const services = yield* Layer.build(
    Layer.merge(
      PostgresHistory.layer({ ...retention, url: Redacted.make(url) }),
      PgClient.layer({ url: Redacted.make(url) }),
    ),
  )
  const history = Context.get(services, History)
  const sql = Context.get(services, PgClient.PgClient)
  yield* history.setup
  const [before = "", after = ""] = bodyOf("@").split("@")
  yield* sql`
    INSERT INTO armoricore_history_item (room, seq, id, at, body)
    SELECT ${room}::text, n + 1, ids.id, clock_timestamp(), convert_to(${before}::text || ids.id || ${after}::text, 'UTF8')
    FROM generate_series(0, ${String(items - 1)}::text::int) AS n,
      LATERAL (SELECT '00000000-0000-4000-8000-' || lpad(n::text, 12, '0') AS id) AS ids`
  yield* sql`
    INSERT INTO armoricore_history_room (room, last, trimmed)
    VALUES (${room}::text, ${String(items)}::text::bigint, 0)`
  yield* sql`ANALYZE armoricore_history_item`
  return history
})

const nats = Effect.gen(function* () {
  const { url } = yield* NatsServer.make()
  const services = yield* Layer.build(
    NatsHistory.layer({ ...retention, maxBytes: 4 * 1024 ** 3 }).pipe(
      Layer.provideMerge(natsConnection({ servers: [url] })),
    ),
  )
  const history = Context.get(services, History)
  const { client, manager } = yield* Context.get(services, NatsConnection).jetstream
  yield* history.setup
  yield* Effect.promise(async () => {
    for (let index = 0; index < items; index++) {
      const id = idOf(index)
      const marks = headers()
      marks.set("Nats-Msg-Id", messageIdOf(room, id))
      client.publish(subjectOf(room), bodyOf(id), { headers: marks })
      // The `seq` of an item: its entry in the index follows it.
      client.publish(indexEntryOf(room, id), String(2 * index + 1))
      if (index % 1_000 === 0) await client.flush()
    }
    for (let stored = 0; stored < 2 * items;) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      stored = (await manager.streams.info(streamName)).state.messages
    }
  })
  return history
})

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN

/** The median milliseconds of each call, which run by turns. */
const byTurns = <E>(measured: ReadonlyArray<(round: number) => Effect.Effect<unknown, E>>) =>
  Effect.gen(function* () {
    const times = measured.map((): Array<number> => [])
    for (let round = -5; round < calls; round++) {
      for (const [index, call] of measured.entries()) {
        const from = performance.now()
        yield* call(round + 5)
        if (round >= 0) times[index]?.push(performance.now() - from)
      }
    }
    return times.map(median)
  })

const measure = Effect.fnUntraced(function* (history: Service) {
  const seqAt = (index: number) => Effect.map(history.get(room, idOf(index)), (item) => item?.seq ?? NaN)
  const [oldest, middle, newest] = [
    yield* seqAt(0),
    yield* seqAt(items >> 1),
    yield* seqAt(items - 5 * calls - 2 * limit),
  ]
  const step = (yield* seqAt(1)) - oldest
  const page =
    (bounds: (round: number) => { readonly after: number } | { readonly before: number }) => (round: number) =>
      Effect.tap(history.read(room, { limit, ...bounds(round) } satisfies PageRequest), ({ items: read }) =>
        read.length === limit ? Effect.void : Effect.die(new Error(`a page had ${read.length} items`)),
      )
  const after = [oldest, middle, newest].map((seq) => page((round) => ({ after: seq + round * step })))
  const before = [oldest, middle, newest].map((seq) => page((round) => ({ before: seq + (round + limit + 1) * step })))
  const byId = [0, items >> 1, items - 5 * calls].map(
    (index) => (round: number) => history.get(room, idOf(index + round)),
  )
  return { after: yield* byTurns(after), before: yield* byTurns(before), byId: yield* byTurns(byId) }
})

const program = Effect.gen(function* () {
  const all = { embedded, PostgreSQL: postgres, NATS: nats }
  const chosen = Object.entries(all).filter(([name]) => adapters.length === 0 || adapters.includes(name))
  const rows: Array<ReadonlyArray<string>> = []
  for (const [name, open] of chosen) {
    const started = performance.now()
    const costs = yield* Effect.scoped(
      Effect.gen(function* () {
        const history = yield* open
        yield* Console.log(`${name}: ${items} items in ${((performance.now() - started) / 1000).toFixed(0)} s`)
        return yield* measure(history)
      }),
    )
    for (const [kind, times] of Object.entries(costs)) {
      const ratio = Math.max(...times) / Math.min(...times)
      rows.push([
        name,
        { after: "page after", before: "page before", byId: "message by id" }[kind] ?? kind,
        ...times.map((time) => time.toFixed(2)),
        ratio.toFixed(2),
      ])
      yield* Console.log(rows.at(-1)?.join("  ") ?? "")
    }
  }
  const head = ["adapter", "call", "start, ms", "middle, ms", "end, ms", "highest / lowest"]
  const body = [
    `Pages of ${limit} messages of a room with ${items.toLocaleString("en-GB")}, and single messages by their id: the median of ${calls} calls at each place, by turns.`,
    Results.markdownTable([head, ...rows]),
    "Aim: a page costs at most 1.5 times as much at one place as at another.",
  ].join("\n\n")
  if (adapters.length === 0) yield* Results.writeSection("history", "npm run bench:history", body)
})

runBenchmark(program)
