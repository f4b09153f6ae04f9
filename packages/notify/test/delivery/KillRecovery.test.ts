/**
 * A real worker process is killed (SIGKILL) at each point around the provider's call, and a new process takes over its
 * data folder. The fake provider's own log shows the number of sent messages.
 */
import { shardOf } from "@armoricore/state/Audiences"
import { FakeApns } from "@armoricore/testing/fakes/FakeApns"
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as PostgresServer from "@armoricore/testing/PostgresServer"
import * as RabbitServer from "@armoricore/testing/RabbitServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted } from "effect"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { requestEvent, until } from "../support/NotifyHarness.ts"

const natsServer = Programs.requireProgram("nats-server")
const rabbitServer = Programs.requireProgram("rabbitmq-server")
const postgresServer = Programs.requireProgram("postgres")

const rabbitAndPostgres = Effect.gen(function* () {
  const [rabbit, postgres] = yield* Effect.all([RabbitServer.make(), PostgresServer.make()], { concurrency: 2 })
  return { bus: yield* rabbit.newUrl, state: postgres.url }
})

interface WorkerReport {
  readonly at?: string
  readonly recordedCount?: number
  readonly unknown?: { readonly email: number; readonly apns: number }
  readonly result?: {
    readonly event_type: string
    readonly payload: {
      readonly user_id: string
      readonly deliveries: ReadonlyArray<{ readonly status: string; readonly reason?: string }>
    }
  }
}

const start = (order: object) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const reports: Array<WorkerReport> = []
      const child = fork(fileURLToPath(new URL("../support/KilledWorker.ts", import.meta.url)), {
        env: { ...process.env, ORDER: JSON.stringify(order) },
      })
      // KilledWorker.ts sends exactly this type.
      child.on("message", (message) => void reports.push(message as WorkerReport))
      return { child, reports }
    }),
    ({ child }) => kill(child),
  )

const kill = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const awaitReport = (reports: ReadonlyArray<WorkerReport>, matches: (report: WorkerReport) => boolean) =>
  until(
    Effect.sync(() => reports.find(matches)),
    (found) => found !== undefined,
    30,
  )

/** Kills the first worker once `stopped` succeeds, and returns the result that the second one publishes. */
const killAndRestart = Effect.fnUntraced(function* (
  point: string,
  payload: object,
  stopped: (reports: ReadonlyArray<WorkerReport>) => Effect.Effect<unknown>,
  options: { readonly resendUnknownMail?: boolean } = {},
) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "notify-kill-" })
  const apns = yield* FakeApns
  const { baseUrl, ca, keyId, teamId, topic } = apns
  const order = {
    folder,
    resendUnknownMail: options.resendUnknownMail ?? false,
    smtp: Redacted.value((yield* FakeSmtp).url),
    apns: { baseUrl, ca, keyId, teamId, topic, key: Redacted.value(apns.key) },
  }
  const first = yield* start({ ...order, point, publish: JSON.stringify(requestEvent(payload)) })
  yield* stopped(first.reports)
  yield* kill(first.child)
  const second = yield* start({ ...order, point: "none" })
  const last = yield* awaitReport(second.reports, ({ result }) => result !== undefined)
  return { deliveries: last?.result?.payload.deliveries ?? [], unknown: last?.unknown }
})

/** Every kind of step. APNs reports no delivery, so the last push follows when the wait for it ends. */
const workflow = {
  name: "three-pushes",
  instructions: [
    { op: "digest", millis: 700 },
    { op: "send", name: "first", type: "push" },
    { op: "delay", millis: 700 },
    { op: "jump_unless", condition: { sent: "first" }, to: 7 },
    { op: "send", name: "second", type: "push" },
    { op: "await", name: "second", outcome: "delivered", millis: 700, to: 7 },
    { op: "send", name: "third", type: "push" },
  ],
}
/**
 * `before`, `after`: around the move of the run, when a step was carried out and not recorded, or recorded and not continued.
 * `wait`: inside the open digest, delay and wait for a delivery.
 */
const moves = ["wait-0", "after-1", "before-2", "wait-2", "after-3", "before-5", "wait-5", "before-7"]
/** The steps are the same over servers; the stores of their waits and messages are not. */
const movesOverServers = ["wait-0", "before-2", "wait-2", "wait-5"]

const awaitStop = (reports: ReadonlyArray<WorkerReport>) => awaitReport(reports, (one) => one.at !== undefined)
const servers = Layer.mergeAll(FakeApns.layer, FakeSmtp.layer, NodeServices.layer)

describe("when a worker process is killed", () => {
  it.live(
    "around the call of an e-mail in strict mode, it is never sent twice, and an unknown outcome is reported and counted",
    () =>
      Effect.gen(function* () {
        const smtp = yield* FakeSmtp
        const cases = [
          { point: "before", mails: 0, status: "unknown" },
          { point: "during", mails: 1, status: "unknown" },
          { point: "after", mails: 1, status: "unknown" },
          { point: "recorded", mails: 1, status: "sent" },
        ]
        yield* Effect.forEach(
          cases,
          Effect.fnUntraced(function* ({ mails, point, status }) {
            const email = `${point === "during" ? "silent" : "anna"}-${point}@example.org`
            const received = Effect.sync(() => smtp.received.filter(({ to }) => to === email).length)
            const { deliveries, unknown } = yield* killAndRestart(
              point,
              { notification_type: "email", recipients: [{ email }] },
              point === "during" ? () => until(received, (count) => count === 1, 30) : awaitStop,
            )
            assert.strictEqual(yield* received, mails, point)
            assert.deepStrictEqual(
              deliveries.map((one) => one.status),
              [status],
              point,
            )
            assert.strictEqual(unknown?.email, status === "unknown" ? 1 : 0, point)
          }, Effect.scoped),
          { concurrency: 2 },
        )
      }).pipe(Effect.provide(servers)),
    120_000,
  )

  it.live(
    "during the call of an e-mail without strict mode, it is sent again with the same Message-ID",
    () =>
      Effect.gen(function* () {
        const smtp = yield* FakeSmtp
        const email = "silent-twice@example.org"
        const received = Effect.sync(() => smtp.received.filter(({ to }) => to === email))
        const { deliveries } = yield* killAndRestart(
          "during",
          { notification_type: "email", recipients: [{ email }] },
          () => until(received, ({ length }) => length === 1, 30),
          { resendUnknownMail: true },
        )
        assert.deepStrictEqual(
          deliveries.map((one) => one.status),
          ["sent"],
        )
        const mails = yield* received
        assert.lengthOf(mails, 2)
        assert.strictEqual(new Set(mails.map(({ messageId }) => messageId)).size, 1)
      }).pipe(Effect.scoped, Effect.provide(servers)),
    60_000,
  )

  it.live(
    "around the call of a push, it is sent again only with the same apns-id and collapse id",
    () =>
      Effect.gen(function* () {
        const apns = yield* FakeApns
        const cases = [
          { point: "before", pushes: 1 },
          { point: "during", pushes: 2 },
          { point: "after", pushes: 2 },
          { point: "recorded", pushes: 1 },
        ]
        yield* Effect.forEach(
          cases,
          Effect.fnUntraced(function* ({ point, pushes }, index) {
            const apns_token = `${point === "during" ? "dd" : "ee"}${index}`.padEnd(64, "0")
            const sent = Effect.sync(() => apns.sent.filter(({ token }) => token === apns_token))
            const { deliveries } = yield* killAndRestart(
              point,
              { recipients: [{ apns_token }] },
              point === "during" ? () => until(sent, ({ length }) => length === 1, 30) : awaitStop,
            )
            const log = yield* sent
            assert.lengthOf(log, pushes, point)
            assert.strictEqual(new Set(log.map(({ collapseId, id }) => `${id} ${collapseId}`)).size, 1, point)
            assert.deepStrictEqual(
              deliveries.map((one) => one.status),
              ["sent"],
              point,
            )
          }, Effect.scoped),
          { concurrency: 2 },
        )
      }).pipe(Effect.provide(servers)),
    120_000,
  )

  it.live.each([
    "embedded",
    ...(natsServer.missing ? [] : ["nats"]),
    ...(rabbitServer.missing || postgresServer.missing ? [] : ["rabbitmq and postgres"]),
  ])(
    "at each step of a workflow and inside its waits, the next process goes on with it, and each step has its effect once (%s)",
    (bus) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* fs.makeTempDirectoryScoped({ prefix: "notify-kill-" })
        const apns = yield* FakeApns
        const { baseUrl, ca, keyId, teamId, topic } = apns
        const order = {
          folder,
          workflow,
          ...(bus === "nats" ? { nats: (yield* NatsServer.make()).url } : {}),
          ...(bus.startsWith("rabbitmq") ? { rabbit: yield* rabbitAndPostgres } : {}),
          resendUnknownMail: false,
          smtp: Redacted.value((yield* FakeSmtp).url),
          apns: { baseUrl, ca, keyId, teamId, topic, key: Redacted.value(apns.key) },
        }
        const token = Buffer.from(bus.slice(0, 2)).toString("hex").padEnd(64, "2")
        const payload = { notification_type: null, workflow: workflow.name, recipients: [{ apns_token: token }] }
        for (const [index, point] of (bus === "embedded" ? moves : movesOverServers).entries()) {
          const publish = index === 0 ? { publish: JSON.stringify(requestEvent(payload)) } : {}
          const { child, reports } = yield* start({ ...order, ...publish, point })
          yield* awaitReport(reports, (one) => one.at === point)
          yield* kill(child)
        }
        const { reports } = yield* start({ ...order, point: "none" })
        const sent = () => apns.sent.filter((one) => one.token === token)
        yield* until(Effect.sync(sent), ({ length }) => length >= 3, 30)
        yield* awaitReport(reports, ({ result }) => result !== undefined)
        assert.strictEqual(new Set(sent().map(({ id }) => id)).size, 3)
        assert.lengthOf(sent(), 3)
      }).pipe(Effect.scoped, Effect.provide(servers)),
    120_000,
  )

  it.live(
    "during a push batch, only targets without a recorded result are sent to again, with the same ids",
    () =>
      Effect.gen(function* () {
        const apns = yield* FakeApns
        const tokens = ["e1", "e2", "dd", "de", "e3"].map((prefix) => prefix.padEnd(64, "1"))
        const { deliveries, unknown } = yield* killAndRestart(
          "during",
          { recipients: tokens.map((apns_token) => ({ apns_token })) },
          (reports) => awaitReport(reports, ({ recordedCount }) => recordedCount === 4),
        )
        assert.deepStrictEqual(
          deliveries.map((one) => one.status),
          ["sent", "sent", "sent", "sent", "sent"],
        )
        assert.strictEqual(unknown?.apns, 1)
        for (const token of tokens) {
          const log = apns.sent.filter((one) => one.token === token)
          assert.lengthOf(log, token.startsWith("dd") ? 2 : 1)
          assert.strictEqual(new Set(log.map(({ collapseId, id }) => `${id} ${collapseId}`)).size, 1)
        }
      }).pipe(Effect.scoped, Effect.provide(servers)),
    60_000,
  )

  it.live.each(natsServer.missing ? ["embedded"] : ["embedded", "nats"])(
    "in the middle of a chunk of an audience, only members without a recorded result are sent to again (%s)",
    (bus) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const apns = yield* FakeApns
        const { baseUrl, ca, keyId, teamId, topic } = apns
        const order = {
          folder: yield* fs.makeTempDirectoryScoped({ prefix: "notify-kill-" }),
          ...(bus === "nats" ? { nats: (yield* NatsServer.make()).url } : {}),
          resendUnknownMail: false,
          smtp: Redacted.value((yield* FakeSmtp).url),
          apns: { baseUrl, ca, keyId, teamId, topic, key: Redacted.value(apns.key) },
        }
        // Members of one lane. The first push to `dd` gets no answer.
        const users = Array.from({ length: 100 }, (_, at) => `u${at}`).filter((id) => shardOf(id) % 4 === 0)
        const tokens = ["e1", "e2", "dd", "de", "e3"].map((prefix) => prefix.padEnd(64, bus === "nats" ? "7" : "8"))
        const audience = Object.fromEntries(tokens.map((token, at) => [users[at], token]))
        const publish = JSON.stringify(requestEvent({ user_id: "shop", audience: "fans" }))
        const first = yield* start({ ...order, audience, publish, point: "during" })
        yield* awaitReport(first.reports, ({ recordedCount }) => recordedCount === 4)
        yield* kill(first.child)
        const second = yield* start({ ...order, point: "none" })
        const sentTo = (token = "") => apns.sent.filter((one) => one.token === token)
        yield* until(
          Effect.sync(() => sentTo(tokens[2]).length),
          (count) => count === 2,
          30,
        )
        yield* awaitReport(second.reports, ({ result }) => result?.payload.user_id === users[2])
        for (const token of tokens) {
          assert.lengthOf(sentTo(token), token.startsWith("dd") ? 2 : 1)
          assert.strictEqual(new Set(sentTo(token).map(({ collapseId, id }) => `${id} ${collapseId}`)).size, 1)
        }
      }).pipe(Effect.scoped, Effect.provide(servers)),
    60_000,
  )
})
