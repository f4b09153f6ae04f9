/**
 * A real worker process is killed (SIGKILL) at each point around the provider's call, and a new one takes over its data
 * folder. What counts is the provider's own log.
 */
import { FakeApns } from "@armoricore/testing/fakes/FakeApns"
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted } from "effect"
import { NodeServices } from "@effect/platform-node"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { requestEvent, until } from "../support/NotifyHarness.ts"

interface WorkerReport {
  readonly at?: string
  readonly kept?: number
  readonly unknown?: { readonly email: number; readonly apns: number }
  readonly told?: {
    readonly event_type: string
    readonly payload: { readonly deliveries: ReadonlyArray<{ readonly status: string; readonly reason?: string }> }
  }
}

const start = (order: object) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const said: Array<WorkerReport> = []
      const child = fork(fileURLToPath(new URL("../support/KilledWorker.ts", import.meta.url)), {
        env: { ...process.env, ORDER: JSON.stringify(order) },
      })
      // The child beside this file says exactly this.
      child.on("message", (message) => void said.push(message as WorkerReport))
      return { child, said }
    }),
    ({ child }) => kill(child),
  )

const kill = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const awaitReport = (said: ReadonlyArray<WorkerReport>, good: (one: WorkerReport) => boolean) =>
  until(
    Effect.sync(() => said.find(good)),
    (found) => found !== undefined,
    30,
  )

/** Kills the first worker where `stopped` says so, and gives what the second one told. */
const killAndRestart = Effect.fnUntraced(function* (
  point: string,
  payload: object,
  stopped: (said: ReadonlyArray<WorkerReport>) => Effect.Effect<unknown>,
  options: { readonly strictMail?: boolean } = {},
) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "notify-kill-" })
  const apns = yield* FakeApns
  const { baseUrl, ca, keyId, teamId, topic } = apns
  const order = {
    folder,
    strictMail: options.strictMail ?? true,
    smtp: Redacted.value((yield* FakeSmtp).url),
    apns: { baseUrl, ca, keyId, teamId, topic, key: Redacted.value(apns.key) },
  }
  const first = yield* start({ ...order, point, publish: JSON.stringify(requestEvent(payload)) })
  yield* stopped(first.said)
  yield* kill(first.child)
  const second = yield* start({ ...order, point: "none" })
  const last = yield* awaitReport(second.said, ({ told }) => told !== undefined)
  return { deliveries: last?.told?.payload.deliveries ?? [], unknown: last?.unknown }
})

const awaitStop = (said: ReadonlyArray<WorkerReport>) => awaitReport(said, (one) => one.at !== undefined)
const servers = Layer.mergeAll(FakeApns.layer, FakeSmtp.layer, NodeServices.layer)

describe("a worker process is killed", () => {
  it.live(
    "around an e-mail's call, strict: it is never sent twice, and what nobody knows is unknown and counted",
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
    "in an e-mail's call, not strict: it is sent again under the same Message-ID",
    () =>
      Effect.gen(function* () {
        const smtp = yield* FakeSmtp
        const email = "silent-twice@example.org"
        const received = Effect.sync(() => smtp.received.filter(({ to }) => to === email))
        const { deliveries } = yield* killAndRestart(
          "during",
          { notification_type: "email", recipients: [{ email }] },
          () => until(received, ({ length }) => length === 1, 30),
          { strictMail: false },
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
    "around a push's call: it is sent again only under the same apns-id and collapse id",
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

  it.live(
    "in the middle of a push to many: those with an answer are not sent again, the others under the same ids",
    () =>
      Effect.gen(function* () {
        const apns = yield* FakeApns
        const tokens = ["e1", "e2", "dd", "de", "e3"].map((start_) => start_.padEnd(64, "1"))
        const { deliveries, unknown } = yield* killAndRestart(
          "during",
          { recipients: tokens.map((apns_token) => ({ apns_token })) },
          (said) => awaitReport(said, ({ kept }) => kept === 4),
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
})
