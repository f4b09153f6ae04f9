/** Workflows on virtual time: every step's effect once, waits, digests, conditions, fallbacks, cancellation. */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { notificationCommandKind } from "@armoricore/domain/NotificationCommand"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { eventually } from "@armoricore/testing/Eventually"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as InApp from "../../src/providers/inapp/InApp.ts"
import * as WorkflowFiles from "../../src/workflow/WorkflowFiles.ts"
import { publishRequest, recordEvents } from "../support/NotifyHarness.ts"
import * as RecordingProvider from "../support/RecordingProvider.ts"
import { cancel, notifyService, runOf, trigger as triggerRun } from "../support/WorkflowHarness.ts"

const { layer: recorder, sent } = RecordingProvider.make()

const files = [
  `
name: comment
category: comments
steps:
  - type: digest
    window: 10m
    key: post
  - type: in_app
  - type: delay
    for: 1h
  - type: when
    condition: { unread: in_app }
    steps:
      - { type: email, title: You have comments }
    else:
      - { type: push, title: Read }
`,
  `
name: alarm
steps:
  - type: until_delivered
    wait: 5m
    steps:
      - { type: push, name: first }
      - { type: email }
`,
  "name: greeting\nsteps: [{type: push}, {type: email, template: hello}]",
  "name: nightly\nsteps: [{type: digest, window: 10m}, {type: push}]",
  "name: counted\nsteps: [{type: in_app}, {type: push}, {type: delay, for: 1h}, {type: push, name: later}]",
  `{"name": "reminder", "steps": [
          {"type": "push"}, {"type": "delay", "for": "1h"},
          {"type": "when", "condition": {"all": [{"payload": "order.open", "equals": true}, {"preference": "email"}]},
           "steps": [{"type": "email"}]}]}`,
]

/** Renders, or fails in a way that no attempt repairs. */
const template = {
  isBroken: false,
  name: "hello",
  render: () =>
    Effect.suspend(() =>
      template.isBroken
        ? Effect.die(new Error("the disk of the templates is gone"))
        : Effect.succeed({ title: "hello", text: "" }),
    ),
}

const notify = () => Layer.fresh(notifyService(Layer.mergeAll(recorder, InApp.layer), files, { templates: [template] }))

const recipients = [{ fcm_token: "fcm-token-1" }, { email: "anna@example.org" }]
const trigger = (workflow: string, fields: object = {}) => triggerRun(workflow, { recipients, ...fields })

const tick = TestClock.adjust("10 seconds")
const reaches = (id: string, position: number) =>
  eventually(Effect.andThen(tick, runOf(id)), (run) => run?.position === position)
const ends = (id: string, status = "done") =>
  eventually(Effect.andThen(tick, runOf(id)), (run) => run?.status === status)
const titles = () => sent.map(({ target, title }) => `${target.channel} ${title}`)

const command = Effect.fnUntraced(function* (payload: object) {
  const id = crypto.randomUUID()
  const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }))
  yield* (yield* EventBus).publish({ address: work("notify", notificationCommandKind), id, body })
})

describe("workflows", () => {
  it.effect("a digest sends one item for its window, then mail only to those who did not read it", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      const inbox = yield* UserInbox
      const id = yield* trigger("comment", { title: "A", body: "one", context: { post: 1 } })
      yield* eventually(Effect.andThen(tick, runOf(id)), (run) => run?.wake_at !== undefined)
      const second = yield* trigger("comment", { title: "B", body: "two", context: { post: 1 } })
      const other = yield* trigger("comment", { title: "C", body: "three", context: { post: 2 } })
      yield* ends(second, "digested")
      yield* TestClock.adjust("10 minutes")
      yield* reaches(id, 2)
      yield* reaches(other, 2)
      const items = events.filter(({ event_type }) => event_type === "inbox.item").map(({ payload }) => payload)
      assert.sameDeepMembers(
        items.map(({ body, data, title }) => ({ title, body, data })),
        [
          { title: "B", body: "one\ntwo", data: { digest_count: 2 } },
          { title: "C", body: "three", data: { digest_count: 1 } },
        ],
      )
      // Realtime stores the items; here the test does, and reads one of them.
      for (const { item_id, title, user_id } of items) {
        yield* inbox.add(String(user_id), {
          id: String(item_id),
          notification_id: "n",
          title: "",
          body: "",
          data: {},
          created_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
        })
        if (title === "C") yield* inbox.markRead(String(user_id), [String(item_id)])
      }
      assert.deepStrictEqual(titles(), [])
      yield* TestClock.adjust("1 hour")
      yield* ends(id)
      yield* ends(other)
      yield* eventually(Effect.andThen(tick, Effect.sync(titles)), (all) => all.length === 2)
      assert.sameMembers(titles(), ["email You have comments", "fcm Read"])
    }).pipe(Effect.provide(notify())),
  )

  it.effect("a fallback is used only if the step before it failed or was not sent in time", () =>
    Effect.gen(function* () {
      const first = yield* trigger("alarm", { title: "Fire" })
      yield* ends(first)
      assert.deepStrictEqual(titles(), ["fcm Fire"])
      const withoutPush = yield* trigger("alarm", { title: "Flood", recipients: [{ email: "anna@example.org" }] })
      yield* ends(withoutPush)
      yield* eventually(Effect.andThen(tick, Effect.sync(titles)), (all) => all.length === 2)
      assert.deepStrictEqual(titles(), ["fcm Fire", "email Flood"])
    }).pipe(Effect.provide(notify())),
  )

  it.effect("conditions read the request and the preferences; the same idempotency key is the same run", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      yield* (yield* UserPreferences).put("no-mail", { categories: { "*": { email: false } } })
      const key = { idempotency_key: "k1", title: "Pay", data: { order: { open: true } } }
      yield* trigger("reminder", key)
      yield* trigger("reminder", key)
      const runs = [deriveId("notification", "php-backend", "k1")]
      runs.push(yield* trigger("reminder", { title: "Paid", data: { order: { open: false } } }))
      runs.push(yield* trigger("reminder", { title: "Off", user_id: "no-mail", data: { order: { open: true } } }))
      for (const id of runs) yield* reaches(id, 1)
      yield* TestClock.adjust("1 hour")
      for (const id of runs) yield* ends(id)
      yield* eventually(Effect.andThen(tick, Effect.sync(titles)), (all) => all.includes("email Pay"))
      assert.sameMembers(titles(), ["fcm Pay", "fcm Paid", "fcm Off", "email Pay"])
      const results = events.filter(({ event_type }) => event_type === "notification.sent")
      assert.strictEqual(new Set(results.map(({ event_id }) => event_id)).size, 4)
      const unknown = yield* trigger("nonexistent", { notification_type: "email" })
      const failed = yield* eventually(
        Effect.andThen(
          tick,
          Effect.sync(() => events.at(-1)),
        ),
        (last) => last?.event_type === "notification.failed",
      )
      assert.deepNestedInclude(failed, { "payload.notification_id": unknown, "payload.error.code": "unknown_workflow" })
    }).pipe(Effect.provide(notify())),
  )

  it.effect("a cancellation at any step stops the run, and the rest of a digest is still sent", () =>
    Effect.gen(function* () {
      const events = yield* recordEvents
      yield* trigger("reminder", { idempotency_key: "r", title: "Pay", data: { order: { open: true } } })
      const reminder = deriveId("notification", "php-backend", "r")
      yield* reaches(reminder, 1)
      yield* cancel({ idempotency_key: "r" })
      yield* ends(reminder, "cancelled")
      const leader = yield* trigger("comment", { title: "A", body: "one" })
      yield* eventually(Effect.andThen(tick, runOf(leader)), (run) => run?.wake_at !== undefined)
      const follower = yield* trigger("comment", { title: "B", body: "two" })
      yield* ends(follower, "digested")
      yield* cancel({ notification_id: leader })
      yield* tick
      yield* TestClock.adjust("10 minutes")
      yield* reaches(leader, 2)
      const [item] = events.filter(({ event_type }) => event_type === "inbox.item")
      assert.deepNestedInclude(item, { "payload.title": "B", "payload.body": "two" })
      yield* cancel({ notification_id: follower })
      yield* ends(leader, "cancelled")
      yield* TestClock.adjust("2 hours")
      yield* tick
      assert.deepStrictEqual(titles(), ["fcm Pay"])
    }).pipe(Effect.provide(notify())),
  )

  it.effect("a step that fails for good stops its run, which an operator continues or cancels", () =>
    Effect.gen(function* () {
      template.isBroken = true
      const [first, second] = [yield* trigger("greeting", { title: "A" }), yield* trigger("greeting", { title: "B" })]
      yield* ends(first, "failed")
      yield* ends(second, "failed")
      assert.include((yield* runOf(first))?.error?.message, "unexpected error")
      template.isBroken = false
      yield* command({ action: "cancel", id: second })
      yield* ends(second, "cancelled")
      yield* command({ action: "retry_run", run_id: first })
      yield* command({ action: "retry_run", run_id: second })
      yield* ends(first)
      yield* eventually(Effect.andThen(tick, Effect.sync(titles)), (all) => all.length === 3)
      assert.sameMembers(titles(), ["fcm A", "fcm B", "email hello"])
      yield* command({
        action: "send",
        request: { user_id: "u", notification_type: "push", title: "Test", body: "", recipients: [recipients[0]] },
      })
      yield* eventually(Effect.andThen(tick, Effect.sync(titles)), (all) => all.includes("fcm Test"))
    }).pipe(Effect.provide(notify())),
  )

  it.effect("a digest that closes in quiet hours is pushed at their end, also in the night of a clock change", () =>
    Effect.forEach(
      [
        // 01:10 before the change of the local clock, and 03:15 after it.
        ["America/New_York", "2026-03-08T06:10:00Z", "2026-03-08T07:15:00Z"],
        ["Europe/Berlin", "2026-03-29T00:10:00Z", "2026-03-29T01:15:00Z"],
        ["Australia/Lord_Howe", "2026-04-04T14:10:00Z", "2026-04-04T16:45:00Z"],
      ] as const,
      ([time_zone, evening, morning]) =>
        Effect.gen(function* () {
          yield* (yield* UserPreferences).put("u", {
            categories: {},
            quiet_hours: { from: "01:15", to: "03:15", time_zone },
          })
          const only = { recipients: recipients.slice(0, 1) }
          const id = yield* trigger("nightly", { title: time_zone, body: "one", ...only })
          yield* eventually(Effect.andThen(tick, runOf(id)), (run) => run?.wake_at !== undefined)
          const second = yield* trigger("nightly", { title: time_zone, body: "two", ...only })
          yield* ends(second, "digested")
          yield* TestClock.adjust("10 minutes")
          yield* ends(id)
          yield* TestClock.setTime(Date.parse(morning) - 60_000)
          yield* tick
          assert.deepStrictEqual(sent, [], time_zone)
          yield* TestClock.setTime(Date.parse(morning) + 600_000)
          yield* eventually(Effect.andThen(tick, Effect.sync(titles)), (all) => all.length === 1)
          assert.strictEqual(sent[0]?.text, "one\ntwo")
        }).pipe(Effect.provide(notify()), (night) => Effect.andThen(TestClock.setTime(Date.parse(evening)), night)),
      { discard: true },
    ),
  )

  it.effect("the badge unread counts the inbox when the push is sent, with the item of the same run", () =>
    Effect.gen(function* () {
      const inbox = yield* UserInbox
      const item = (id: string) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          inbox.add("u", {
            id,
            notification_id: "n",
            title: "",
            body: "",
            data: {},
            created_at: new Date(now).toISOString(),
          }),
        )
      yield* item("1")
      yield* item("2")
      const id = yield* trigger("counted", { title: "New", push: { badge: "unread" } })
      // Realtime does not run here, so the inbox has not the item of the run.
      yield* reaches(id, 2)
      yield* inbox.markAllRead("u")
      const later = new Date((yield* Clock.currentTimeMillis) + 600_000).toISOString()
      const scheduled = { notification_type: "push", title: "Scheduled", recipients: recipients.slice(0, 1) }
      yield* publishRequest({ ...scheduled, push: { badge: "unread" }, send_at: later })
      yield* item("3")
      yield* TestClock.adjust("1 hour")
      yield* ends(id)
      yield* eventually(Effect.andThen(tick, Effect.sync(titles)), (all) => all.length === 3)
      assert.sameDeepMembers(
        sent.map(({ push, title }) => [title, push?.badge]),
        [
          ["New", 3],
          ["Scheduled", 1],
          ["New", 2],
        ],
      )
    }).pipe(Effect.provide(notify())),
  )

  it.effect("names the file's fault", () =>
    Effect.gen(function* () {
      for (const [text, why] of [
        ["{", "neither JSON nor YAML"],
        ["name: a\nsteps: []", "steps"],
        ["name: a\nsteps: [{type: fax}]", "steps.0.type"],
        ["name: a\nsteps: [{type: delay, for: soon}]", "steps.0.for"],
        ["name: a\nsteps: [{type: push}, {type: push}]", "has two steps push"],
        ["name: a\nsteps: [{type: when, condition: {unread: b}, steps: [{type: push}]}]", "no step of this name"],
        ["name: a\ncritical: true\nsteps: [{type: push}]", "a critical workflow needs a category"],
        ["name: a\nstep: [{type: push}]\nsteps: [{type: push}]", "step"],
      ] as const) {
        const fault = yield* Effect.flip(WorkflowFiles.parse(text))
        assert.include(fault, why)
      }
    }),
  )
})
