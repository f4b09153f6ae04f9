/** Mail servers that hang, and what becomes of the mail: sent later where they cannot have it, unknown where they can. */
import { WorkerTimeouts } from "@armoricore/worker/Worker"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { Attachments } from "../../../src/request/Attachments.ts"
import * as Smtp from "../../../src/providers/email/Smtp.ts"
import {
  deliveryState,
  awaitFinal,
  recordEvents,
  notificationState,
  policy,
  ports,
  publishRequest,
  service,
  until,
} from "../../support/NotifyHarness.ts"
import * as StallingSmtpServer from "../../support/StallingSmtpServer.ts"

const from = "no-reply@example.com"
const attachments = Attachments.layer({ buckets: ["media"] })
const mail = () => publishRequest({ notification_type: "email", recipients: [{ email: "anna@example.org" }] })

const installed = (url: Redacted.Redacted<string>, callTimeout: Duration.Duration) =>
  service(Smtp.layer({ url, from }).pipe(Layer.provide(attachments))).pipe(Layer.provide(policy({ callTimeout })))

const times = Layer.effect(
  WorkerTimeouts,
  Effect.map(WorkerTimeouts, (usual) => ({ ...usual, drainTimeout: Duration.millis(50) })),
)

describe("an SMTP server that hangs", () => {
  for (const stage of StallingSmtpServer.stages.filter((one) => one !== ".")) {
    it.live(`regression: a mail was given up as unknown though the server hung at ${stage}`, () =>
      Effect.gen(function* () {
        const events = yield* recordEvents
        const { state, url } = yield* StallingSmtpServer.make
        state.stallAt = stage
        yield* Effect.gen(function* () {
          const id = yield* mail()
          yield* until(
            Effect.sync(() => state.reached),
            (met) => met >= 2,
          )
          assert.isEmpty(events)
          state.stallAt = undefined
          assert.strictEqual((yield* awaitFinal(id))?.status, "sent")
          assert.strictEqual(state.accepted, 1)
        }).pipe(Effect.provide(installed(url, Duration.millis(500))))
      }).pipe(Effect.scoped, Effect.provide(ports)),
    )
  }

  it.live("after the whole message the outcome is unknown, and nothing is sent again", () =>
    Effect.gen(function* () {
      const { state, url } = yield* StallingSmtpServer.make
      state.stallAt = "."
      yield* Effect.gen(function* () {
        const found = yield* awaitFinal(yield* mail())
        assert.deepInclude(found?.deliveries[0]?.summary, { status: "unknown", reason: "outcome_unknown" })
        state.stallAt = undefined
        const next = yield* awaitFinal(yield* mail())
        assert.deepInclude(next?.deliveries[0]?.summary, { status: "sent" })
        assert.strictEqual(state.accepted, 2)
      }).pipe(Effect.provide(installed(url, Duration.millis(500))))
    }).pipe(Effect.scoped, Effect.provide(ports)),
  )

  it.live("regression: a mail was given up as unknown when the program stopped before the server had it", () =>
    Effect.gen(function* () {
      const { state, url } = yield* StallingSmtpServer.make
      state.stallAt = "RCPT"
      const id = yield* Effect.gen(function* () {
        const id = yield* mail()
        yield* until(
          Effect.sync(() => state.reached),
          (met) => met >= 1,
        )
        return id
      }).pipe(Effect.provide(installed(url, Duration.minutes(1))))
      const [planned] = (yield* notificationState(id))?.deliveries ?? []
      assert.strictEqual((yield* deliveryState(planned?.delivery_id ?? ""))?.status, "requested")
      state.stallAt = undefined
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* awaitFinal(id))?.status, "sent")
        assert.strictEqual(state.accepted, 1)
      }).pipe(Effect.provide(installed(url, Duration.minutes(1))))
    }).pipe(Effect.scoped, Effect.provide(ports), Effect.provide(times)),
  )
})

describe("an SMTP server that refuses everybody", () => {
  for (const [stage, answer] of [
    ["CONNECT", "554 5.7.1 your address is not welcome"],
    ["RCPT", "554 5.7.1 <anna@example.org>: Relay access denied"],
  ] as const) {
    it.live(`regression: every mail was given up while the server refused us at ${stage}`, () =>
      Effect.gen(function* () {
        const events = yield* recordEvents
        const { state, url } = yield* StallingSmtpServer.make
        state.refusals = { [stage]: answer }
        yield* Effect.gen(function* () {
          const id = yield* mail()
          // More than there are tries.
          yield* until(
            Effect.sync(() => state.reached),
            (met) => met >= 6,
          )
          assert.isEmpty(events)
          state.refusals = {}
          assert.strictEqual((yield* awaitFinal(id))?.status, "sent")
          assert.strictEqual(state.accepted, 1)
        }).pipe(Effect.provide(installed(url, Duration.minutes(1))))
      }).pipe(Effect.scoped, Effect.provide(ports)),
    )
  }

  it.live("a single address that is not relayed fails alone", () =>
    Effect.gen(function* () {
      const { state, url } = yield* StallingSmtpServer.make
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* awaitFinal(yield* mail()))?.status, "sent")
        state.refusals = { RCPT: "550 we do not relay" }
        const refused = yield* awaitFinal(yield* mail())
        assert.deepInclude(refused?.deliveries[0]?.summary, { status: "failed", reason: "refused" })
      }).pipe(Effect.provide(installed(url, Duration.minutes(1))))
    }).pipe(Effect.scoped, Effect.provide(ports)),
  )
})
