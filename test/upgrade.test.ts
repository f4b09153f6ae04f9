/**
 * This version starts on what the release before it left behind: a data folder, NATS streams, PostgreSQL tables, the
 * queues of RabbitMQ. They are kept in `fixtures/upgrade/`, made by `npm run upgrade:fixture` from that release's own program.
 */
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as PostgresServer from "@armoricore/testing/PostgresServer"
import * as Programs from "@armoricore/testing/Programs"
import * as RabbitServer from "@armoricore/testing/RabbitServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { request, retryUntil } from "../packages/armoricore/test/support/ApiClient.ts"
import * as ProgramFixture from "../packages/armoricore/test/support/ProgramFixture.ts"
import * as ProgramProcess from "../packages/armoricore/test/support/ProgramProcess.ts"
import * as ChatRoom from "./support/ChatRoom.ts"
import * as NatsSnapshot from "./support/NatsSnapshot.ts"
import * as RabbitSnapshot from "./support/RabbitSnapshot.ts"
import {
  env as common,
  fixturesPath,
  room,
  futureSource,
  RecordedState,
  user,
  chatMessages,
} from "./support/UpgradeScenario.ts"
import * as TimeShift from "./support/TimeShift.ts"

const kept = fileURLToPath(new URL(`../${fixturesPath}/`, import.meta.url))
const ffmpeg = Programs.requireProgram("ffmpeg")
const nats = Programs.requireProgram("nats-server")
const postgres = Programs.requireProgram("postgres")
const psql = Programs.requireProgram("psql")
const rabbit = Programs.requireProgram("rabbitmq-server")

const read = <A, I>(name: string, schema: Schema.Codec<A, I>) =>
  Effect.orDie(Schema.decodeEffect(Schema.fromJsonString(schema))(readFileSync(join(kept, name), "utf8")))

/** The data folder as the release left it, its results, and its age. */
const unpacked = Effect.fnUntraced(function* (name: string) {
  const data = yield* ProgramProcess.temporaryDirectory
  execFileSync("tar", ["-xzmf", join(kept, `${name}.tar.gz`), "-C", data])
  const told = yield* read(`${name}.json`, RecordedState)
  return { data, told, later: Date.now() - told.at, env: { ...common, ...futureSource, ARMORICORE_DATA_DIR: data } }
})

const at = (document: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (value, name) => (typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined),
    document,
  )

/** URLs name the port of the program that answered. */
const portless = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll(/127\.0\.0\.1:\d+/g, "host"))

/** `again`: the bus delivers everything once more, so what was refused is accepted before its letter is replayed. */
const story = Effect.fnUntraced(function* (env: ProgramFixture.Env, told: RecordedState, again: boolean = false) {
  const { url } = yield* ProgramFixture.start(env)
  const token = yield* ProgramFixture.tokenFor(env, "--user", user)
  const ask = (path: string) => request(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
  const mediaIs = (id: string, status: string) =>
    retryUntil(ask(`/v1/media/${id}`), ({ json }) => at(json, "status") === status)

  // Pending messages are handled, and the dead letter after a replay, now that its publisher is known.
  yield* mediaIs(told.waiting, "ready")
  const letters = (...args: ReadonlyArray<string>) => ProgramProcess.run(["dead-letters", ...args], env)
  assert.include((yield* letters("show", told.letter)).stdout, `"media_id\\":\\"${told.refused}`)
  if (!again) assert.strictEqual((yield* ask(`/v1/media/${told.refused}`)).status, 404)
  assert.include((yield* letters("replay", told.letter)).stdout, `replayed ${told.letter}`)
  yield* mediaIs(told.refused, "ready")
  assert.strictEqual((yield* letters("list")).stdout, "")

  // Finished work is still there and is not repeated.
  const ready = (yield* ask(`/v1/media/${String(told.ready["media_id"])}`)).json
  assert.deepStrictEqual(portless(ready), portless(told.ready))
  // The API shows it as published, with the URL of the former program.
  const master = String(at(ready, "ready", "playback_urls", "hls")).replace(/http:\/\/127\.0\.0\.1:\d+/, url)
  const playlist = (yield* request(master)).json
  const rung = /^[^#\n].*$/m.exec(String(playlist))?.[0] ?? ""
  const segments = String((yield* request(new URL(rung, master).href)).json)
  assert.include(segments, "#EXT-X-ENDLIST")
  const segment = /^[^#\n].*$/m.exec(segments)?.[0] ?? ""
  assert.strictEqual((yield* request(new URL(segment, new URL(rung, master)).href)).status, 200)
  const id = String(told.notification["notification_id"])
  assert.deepStrictEqual((yield* ask(`/v1/notifications/${id}`)).json, told.notification)
  assert.deepStrictEqual(at((yield* ask("/v1/inbox")).json, "messages"), told.inbox)

  // The room has its words under their numbers, and goes on.
  const chat = yield* ChatRoom.join(url, token, room)
  assert.deepStrictEqual(
    chat.messages.map(({ content }) => content),
    chatMessages,
  )
  assert.deepStrictEqual(chat.messages, told.chat)
  const last = Number(told.chat.at(-1)?.["seq"])
  const said = yield* chat.say("the tide is in")
  assert.isAbove(Number(said["seq"]), last)
  const later = yield* ChatRoom.join(url, token, room, { since: last })
  assert.deepStrictEqual(
    later.messages.map(({ id: one, seq }) => ({ id: one, seq })),
    [{ id: said["id"], seq: said["seq"] }],
  )
  assert.isTrue(later.recovered)
})

const setUp = Effect.fnUntraced(function* (env: ProgramFixture.Env) {
  const { code, stderr, stdout } = yield* ProgramProcess.run(["setup"], env)
  assert.strictEqual(code, 0, stderr)
  return stdout
})

/** A database with the data of the release. */
const tables = Effect.fnUntraced(function* (dump: string, later: number) {
  const { url } = yield* PostgresServer.make()
  execFileSync(psql.path, ["-v", "ON_ERROR_STOP=1", "-q", "-d", url, "-f", join(kept, dump)])
  TimeShift.shiftPostgres(psql.path, url, later)
  return url
})

describe.skipIf(ffmpeg.missing)("what the release before left behind", () => {
  it.live("the embedded data folder", () =>
    Effect.gen(function* () {
      const { data, env, later, told } = yield* unpacked("embedded")
      TimeShift.shiftEmbedded(data, later)
      yield* story(env, told)
    }),
  )

  it.live.skipIf(nats.missing)("streams, consumers and buckets of NATS", () =>
    Effect.gen(function* () {
      const { env, later, told } = yield* unpacked("nats")
      const server = yield* NatsServer.make()
      yield* NatsSnapshot.restore(server.url, yield* read("nats-streams.json", NatsSnapshot.NatsSnapshot), later)
      const onNats = { ...env, MESSAGE_BUS_URL: server.url }
      // Settings that NATS 2.9 cannot change lead to a new stream with the same sequences; afterwards nothing changes.
      assert.match(yield* setUp(onNats), /stream ARMORICORE_HISTORY: updated .*republish/)
      assert.notMatch(yield* setUp(onNats), /: (updated|created)|changed/)
      yield* story(onNats, told, true)
    }),
  )

  it.live.skipIf(postgres.missing || psql.missing)("tables of PostgreSQL", () =>
    Effect.gen(function* () {
      const { data, env, later, told } = yield* unpacked("postgres")
      const url = yield* tables("postgres.sql", later)
      TimeShift.shiftEmbedded(data, later)
      const onPostgres = { ...env, STATE_URL: url }
      yield* setUp(onPostgres)
      yield* story(onPostgres, told)
    }),
  )

  it.live.skipIf(rabbit.missing || postgres.missing || psql.missing)("queues of RabbitMQ", () =>
    Effect.gen(function* () {
      const { env, later, told } = yield* unpacked("rabbitmq")
      const server = yield* RabbitServer.make({ virtualHosts: 1 })
      const bus = yield* server.newUrl
      yield* RabbitSnapshot.restore(bus, yield* read("rabbitmq-queues.json", RabbitSnapshot.RabbitSnapshot))
      const onRabbit = { ...env, MESSAGE_BUS_URL: bus, STATE_URL: yield* tables("rabbitmq.sql", later) }
      yield* setUp(onRabbit)
      yield* story(onRabbit, told)
    }),
  )
})

describe("what a newer version left behind", () => {
  it.live("a data folder is refused with a sentence, and stays as it is", () =>
    Effect.gen(function* () {
      const { data, env } = yield* unpacked("embedded")
      const file = join(data, "engine", "engine.sqlite")
      const database = new DatabaseSync(file)
      database.exec("UPDATE armoricore_schema SET version = 99 WHERE module = 'bus'")
      database.close()
      const { code, stderr } = yield* ProgramProcess.run(["start"], { PORT: "0", ...env })
      assert.strictEqual(code, 1)
      assert.match(stderr, /written by a newer version of armoricore \(bus 99, known are \d+\); update armoricore, or/)
      assert.notInclude(stderr, "    at ")
      const left = new DatabaseSync(file)
      assert.deepStrictEqual(
        { ...left.prepare("SELECT version FROM armoricore_schema WHERE module = 'bus'").get() },
        { version: 99 },
      )
      left.close()
    }),
  )

  it.live.skipIf(nats.missing)("streams and buckets of NATS are refused with a sentence", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      const env = {
        ...common,
        ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
        MESSAGE_BUS_URL: server.url,
      }
      yield* setUp(env)
      for (const stream of ["KV_armoricore_media", "ARMORICORE"]) {
        yield* NatsSnapshot.setDescription(server.url, stream, "armoricore schema 99")
        const { code, stderr } = yield* ProgramProcess.run(["start"], { PORT: "0", ...env })
        assert.strictEqual(code, 1)
        assert.match(stderr, /written by a newer Armoricore \(schema 99; this one reads 1\): start that version, or/)
        assert.notInclude(stderr, "    at ")
      }
    }),
  )
})
