/** Workflow runs, audience sends, and what a user receives. */
import type { AudienceSend } from "@armoricore/domain/Audience"
import type { WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { NodeRequests } from "@armoricore/operator"
import { audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import { deliveryStates, notificationStates } from "@armoricore/state/NotificationStates"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { listingKeys, runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import { NodeRpc } from "@armoricore/worker/control/NodeRpc"
import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { tokenFor, withToken } from "../OperatorHarness.ts"
import type { OperatorTest } from "./Harness.ts"

const at = "2026-01-01T00:00:00.000Z"

const runOf = (run_id: string, fields: Partial<WorkflowRun>): WorkflowRun => ({
  run_id,
  workflow: "comment",
  user_id: "ada",
  source_event_id: run_id,
  content: { title: "New comment", body: "", data: {}, context: {}, recipients: [] },
  instructions: [
    { op: "digest", millis: 600_000, key: "post" },
    { op: "jump_unless", condition: { payload: "quiet" }, to: 3 },
    { op: "send", name: "push", type: "push" },
    { op: "send", name: "email", type: "email" },
    { op: "delay", millis: 3_600_000 },
  ],
  position: 4,
  status: "running",
  sent: { email: "n1" },
  started_at: at,
  updated_at: at,
  ...fields,
})

const storeRun = Effect.fnUntraced(function* (run: WorkflowRun) {
  const listings = yield* Collection.make(runListings)
  yield* Effect.forEach(listingKeys(run), (key) => listings.put(key, { run_id: run.run_id }))
  yield* (yield* Collection.make(workflowRuns)).put(run.run_id, run)
})

export const notificationBehaviour = (test: OperatorTest): void => {
  test("lists workflow runs newest first, with the steps of each; a failed one is retried", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      yield* (yield* Collection.make(notificationStates)).put("n1", {
        notification_id: "n1",
        user_id: "ada",
        notification_type: "email",
        status: "pending",
        source_event_id: "e1",
        content: { title: "New comment", text: "", data: {} },
        deliveries: [{ delivery_id: "d1", target: { channel: "email", address: "ada@example.com" } }],
        requested_at: 0,
        updated_at: at,
      })
      yield* (yield* Collection.make(deliveryStates)).put("d1", {
        delivery_id: "d1",
        notification_id: "n1",
        channel: "email",
        status: "deferred",
        attempt: 2,
        not_before: 60_000,
        provider: "smtp",
        reason: "deferred",
        message: "450 4.2.0 greylisted",
        updated_at: at,
      })
      yield* storeRun(runOf("r1", { wake_at: 3_600_000 }))
      const error = { code: "state", message: "not reachable" }
      yield* storeRun(runOf("r2", { position: 3, status: "failed", error, started_at: "2026-01-02T00:00:00.000Z" }))
      yield* storeRun(runOf("r3", { workflow: "alarm", user_id: "bob", status: "done", position: 5 }))

      const { runs, workflows } = yield* op(client.ListWorkflowRuns({}))
      assert.deepStrictEqual(workflows, ["alarm", "comment"])
      assert.strictEqual(runs[0]?.run_id, "r2")
      assert.deepInclude(runs[0], { error: "state: not reachable", step: "email" })
      assert.sameMembers(
        runs.map(({ run_id }) => run_id),
        ["r1", "r2", "r3"],
      )
      for (const [filter, ids] of [
        [{ workflow: "comment" }, ["r2", "r1"]],
        [{ status: "done" }, ["r3"]],
        [{ user_id: "ada", limit: 1 }, ["r2"]],
        [{ workflow: "none" }, []],
      ] as const) {
        const found = yield* op(client.ListWorkflowRuns(filter))
        assert.deepStrictEqual(
          found.runs.map(({ run_id }) => run_id),
          [...ids],
        )
      }

      const run = yield* op(client.GetWorkflowRun({ run_id: "r1" }))
      assert.deepStrictEqual(
        run.steps.map(({ state, text }) => [text, state]),
        [
          ["digest of 10 min by post", "done"],
          ['when {"payload":"quiet"}', "done"],
          ["push", "skipped"],
          ["email", "done"],
          ["delay 1 h", "current"],
        ],
      )
      assert.strictEqual(run.waits_until, "1970-01-01T01:00:00.000Z")
      assert.deepStrictEqual(run.steps[3]?.notification?.deliveries, [
        {
          channel: "email",
          status: "deferred",
          provider: "smtp",
          reason: "deferred",
          attempts: 2,
          message: "450 4.2.0 greylisted",
          next_attempt_at: "1970-01-01T00:01:00.000Z",
        },
      ])
      yield* op(client.RetryWorkflowRun({ run_id: "r2" }))
      assert.deepInclude(yield* Effect.flip(op(client.RetryWorkflowRun({ run_id: "r1" }))), { code: "not_failed" })
      assert.deepInclude(yield* Effect.flip(op(client.CancelNotification({ id: "r3" }))), { code: "too_late" })
      yield* op(client.CancelNotification({ id: "n1" }))
      assert.deepInclude(yield* Effect.flip(op(client.GetWorkflowRun({ run_id: "r9" }))), { code: "not_found" })
      assert.deepInclude(yield* Effect.flip(op(client.CancelNotification({ id: "r9" }))), { code: "not_found" })
    }))

  test("shows devices, preferences and inbox of a user; the progress of sends; previews of templates", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      yield* Effect.gen(function* () {
        yield* (yield* UserDevices).register("ada", { device_id: "d", platform: "ios", token: "ab", locale: "fr" })
        yield* (yield* UserPreferences).put("ada", { categories: { news: { email: false } } })
        const item = { notification_id: "n", title: "Hello", body: "", data: {}, created_at: new Date().toISOString() }
        yield* (yield* UserInbox).add("ada", { ...item, id: "i1" })
      }).pipe(Effect.provide(Layer.mergeAll(UserDevices.layer, UserPreferences.layer, UserInbox.layer)))
      const { reach } = yield* op(client.GetUser({ user_id: "ada" }))
      assert.deepInclude(reach.devices[0], { device_id: "d", platform: "ios", locale: "fr" })
      assert.deepStrictEqual(reach.preferences, { categories: { news: { email: false } } })
      assert.strictEqual(reach.inbox.unread, 1)
      assert.deepInclude(reach.inbox.items[0], { id: "i1", title: "Hello" })

      const send: AudienceSend = {
        send_id: "s1",
        audience: "fans",
        status: "running",
        source_event_id: "e",
        payload: JSON.stringify({ title: "Concert" }),
        lanes: [0, 1, 2, 3].map((lane) => ({ shard: lane + 512, after: "", count: 50 })),
        started_at: at,
        updated_at: at,
      }
      yield* (yield* Collection.make(audienceSends)).put("s1", send)
      const [shown] = yield* op(client.ListAudienceSends())
      assert.deepInclude(shown, { audience: "fans", title: "Concert", members: 200, percent: 49, status: "running" })

      const absent = yield* Effect.flip(op(client.PreviewTemplate({ template: "t", context: "{}" })))
      assert.include(absent.message, "no process runs the notify service")
      const nodeRpc = yield* NodeRpc
      yield* nodeRpc.respond(NodeRequests.templateNames, () => Effect.succeed(["t"]))
      yield* nodeRpc.respond(NodeRequests.previewTemplate, ({ context }) =>
        context === "{}"
          ? Effect.fail({ message: "context.name is missing" })
          : Effect.succeed({ title: "Hello", text: context }),
      )
      assert.deepStrictEqual(yield* op(client.ListTemplates()), ["t"])
      const rendered = yield* op(client.PreviewTemplate({ template: "t", context: '{"name":1}' }))
      assert.deepStrictEqual(rendered, { title: "Hello", text: '{"name":1}' })
      const fault = yield* Effect.flip(op(client.PreviewTemplate({ template: "t", context: "{}" })))
      assert.deepInclude(fault, { message: "context.name is missing" })
    }))
}
