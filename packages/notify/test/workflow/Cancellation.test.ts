/** Cancellations of workflow runs on virtual time, at each kind of step. */
import { deriveId } from "@armoricore/domain/DeterministicId"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { eventually } from "@armoricore/testing/Eventually"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Layer } from "effect"
import { TestClock } from "effect/testing"
import { cancel, notifyService, runOf, trigger } from "../support/WorkflowHarness.ts"
import * as RecordingProvider from "../support/RecordingProvider.ts"

/** A recipient of each type of step that sends. */
const recipientOf = {
  in_app: undefined,
  push: { fcm_token: "fcm-token-1" },
  email: { email: "anna@example.org" },
  sms: { sms: "+33612345678" },
  slack: { slack: "https://hooks.slack.com/services/1" },
  teams: { teams: "https://example.powerplatform.com/1" },
  discord: { discord: "https://discord.com/api/webhooks/1" },
  webhook: { webhook: "https://example.com/1" },
}
const types = Object.keys(recipientOf)
const recipients = Object.values(recipientOf).filter((one) => one !== undefined)

const after = "{type: sms, name: after, title: after}"
const waits: Readonly<Record<string, string>> = {
  delay: `[{type: delay, for: 2m}, ${after}]`,
  digest: `[{type: digest, window: 2m, key: order.id}, ${after}]`,
  when: `[{type: when, condition: {payload: open, equals: true}, steps: [{type: delay, for: 2m}, ${after}]}]`,
  until_delivered: `[{type: until_delivered, wait: 2m, outcome: delivered, steps: [{type: push}, ${after}]}]`,
}
const files = [
  ...types.map((type) => `name: at_${type}\nsteps: [{type: ${type}}, ${after}]`),
  ...Object.entries(waits).map(([step, steps]) => `name: at_${step}\nsteps: ${steps}`),
  `name: digest\nsteps: [{type: digest, window: 2m}, {type: push}, {type: delay, for: 2m}, ${after}]`,
]

/** Held while it is closed. */
const gate = Latch.makeUnsafe(false)
const { layer: recorder, sent } = RecordingProvider.make({
  channels: ["in_app", "fcm", "email", "sms", "slack", "teams", "discord", "webhook"],
  accept: ({ title }) => (title === "after" ? Effect.void : gate.await),
})
const titles = () => sent.map(({ title }) => title)
const bodies = () => sent.map(({ text }) => text)

const step = TestClock.adjust("20 millis")
const isWaiting = (id: string) => eventually(Effect.andThen(step, runOf(id)), (run) => run?.wake_at !== undefined)
const ends = (id: string, status: string, tick = TestClock.adjust("10 seconds")) =>
  eventually(Effect.andThen(tick, runOf(id)), (run) => run?.status === status)

describe("a cancellation", () => {
  it.effect.each([...types, ...Object.keys(waits)])(
    "at a step %s, by idempotency key or by workflow, sends nothing more and leaves the run cancelled",
    (kind) =>
      Effect.gen(function* () {
        const workflow = `at_${kind}`
        const begin = Effect.fnUntraced(function* (title: string, user_id: string, data: object) {
          yield* trigger(workflow, {
            title,
            user_id,
            idempotency_key: title,
            recipients,
            data: { open: true, ...data },
          })
          return deriveId("notification", "php-backend", title)
        })
        const runs = [
          yield* begin("by key", "a", { order: { id: 6 } }),
          yield* begin("by workflow", "b", { order: { id: 7 } }),
          yield* begin("other order", "b", { order: { id: 8 } }),
          yield* begin("other user", "c", { order: { id: 7 } }),
        ] as const
        // A step that sends is cancelled during the call of its provider, any other while the run waits in it.
        yield* types.includes(kind) ? Effect.void : gate.open
        const isInside = (id: string) =>
          types.includes(kind) ? eventually(Effect.andThen(step, runOf(id)), (run) => run !== undefined) : isWaiting(id)
        for (const id of runs) yield* isInside(id)
        yield* cancel({ idempotency_key: "by key" })
        yield* cancel({ workflow, user_id: "b", context: { "order.id": 7 } })
        yield* ends(runs[0], "cancelled", step)
        yield* ends(runs[1], "cancelled", step)
        yield* gate.open
        yield* TestClock.adjust("5 minutes")
        yield* ends(runs[2], "done")
        yield* ends(runs[3], "done")
        const count = (title: string) =>
          eventually(
            Effect.andThen(step, Effect.sync(titles)),
            (all) => all.filter((one) => one === title).length === 2,
          )
        yield* count("after")
        assert.lengthOf(
          titles().filter((title) => title === "after"),
          2,
        )
        for (const id of runs.slice(0, 2)) assert.strictEqual((yield* runOf(id))?.status, "cancelled")
      }).pipe(Effect.provide(Layer.fresh(notifyService(recorder, files))), Effect.andThen(gate.close)),
  )

  it.effect("ends what the steps have not sent yet, also of a run that is done", () =>
    Effect.gen(function* () {
      yield* gate.open
      const quiet_hours = { from: "23:00", to: "01:00", time_zone: "UTC" }
      const preferences = yield* UserPreferences
      for (const user_id of ["a", "b", "c"]) yield* preferences.put(user_id, { categories: {}, quiet_hours })
      const runs: Array<string> = []
      for (const user_id of ["a", "b", "c"])
        runs.push(yield* trigger("at_push", { title: user_id, user_id, recipients }))
      for (const id of runs) yield* ends(id, "done", step)
      yield* cancel({ notification_id: runs[0] })
      yield* cancel({ workflow: "at_push", user_id: "b" })
      yield* step
      yield* TestClock.adjust("61 minutes")
      yield* eventually(Effect.andThen(step, Effect.sync(titles)), (all) => all.length === 2)
      assert.sameMembers(titles(), ["c", "after"])
    }).pipe(Effect.provide(Layer.fresh(notifyService(recorder, files))), Effect.andThen(gate.close)),
  )

  it.effect("takes one request out of a digest, before and after the digest closes; without any the run ends", () =>
    Effect.gen(function* () {
      yield* gate.open
      const join = Effect.fnUntraced(function* (body: string, user_id = "u") {
        return yield* trigger("digest", { title: "t", body, user_id, recipients })
      })
      const alone = yield* join("alone", "other")
      const leader = yield* join("one")
      yield* isWaiting(alone)
      yield* isWaiting(leader)
      const [second, third, fourth] = [yield* join("two"), yield* join("three"), yield* join("four")]
      for (const id of [second, third, fourth]) yield* ends(id, "digested", step)
      yield* cancel({ notification_id: alone })
      yield* ends(alone, "cancelled", step)
      for (const id of [leader, second]) yield* cancel({ notification_id: id })
      yield* ends(second, "cancelled", step)
      yield* eventually(Effect.andThen(TestClock.adjust("10 seconds"), Effect.sync(bodies)), (all) => all.length === 1)
      assert.deepStrictEqual(bodies(), ["three\nfour"])
      yield* cancel({ notification_id: third })
      yield* ends(third, "cancelled", step)
      assert.deepInclude(yield* runOf(leader), { status: "running" })
      yield* cancel({ workflow: "digest", user_id: "u" })
      yield* ends(leader, "cancelled", step)
      yield* ends(fourth, "cancelled", step)
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(titles(), ["t"])
      // A request after the cancellation is a run of its own.
      const later = yield* join("later")
      yield* isWaiting(later)
    }).pipe(Effect.provide(Layer.fresh(notifyService(recorder, files))), Effect.andThen(gate.close)),
  )
})
