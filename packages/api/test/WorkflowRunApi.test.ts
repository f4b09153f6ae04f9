import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { notificationCommandKind } from "@armoricore/domain/NotificationCommand"
import type { WorkflowRun } from "@armoricore/domain/WorkflowRun"
import * as Collection from "@armoricore/state/Collection"
import { aliasKeyOf, notificationAliases, notificationStates } from "@armoricore/state/NotificationStates"
import { listingKeys, runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import { eventually } from "@armoricore/testing/Eventually"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const path = "/v1/workflow-runs"
const eventId = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"

const storeRun = Effect.fnUntraced(function* (run_id: string, minute: number, fields: Partial<WorkflowRun> = {}) {
  const at = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString()
  const run: WorkflowRun = {
    run_id,
    workflow: "comment",
    user_id: "ada",
    source_event_id: run_id,
    content: {
      title: "private",
      body: "private",
      data: {},
      context: {},
      recipients: [{ email: "private@example.com" }],
    },
    instructions: [
      { op: "send", name: "in_app", type: "in_app" },
      { op: "delay", millis: 3_600_000 },
      { op: "send", name: "email", type: "email" },
    ],
    position: 1,
    status: "running",
    sent: { in_app: "n1" },
    started_at: at,
    updated_at: at,
    ...fields,
  }
  const listings = yield* Collection.make(runListings)
  yield* Effect.forEach(listingKeys(run), (key) => listings.put(key, { run_id }))
  yield* (yield* Collection.make(workflowRuns)).put(run_id, run)
})

const idsOf = (body: unknown) => (body as { runs: Array<{ run_id: string }> }).runs.map(({ run_id }) => run_id)

describe("/v1/workflow-runs", () => {
  it.effect("lists runs newest first, page by page, by workflow, user and status, to publishers and operators", () =>
    Effect.gen(function* () {
      const token = yield* signToken("php", "publisher")
      for (const [index, workflow] of ["comment", "alarm", "comment", "alarm", "comment"].entries())
        yield* storeRun(`r${index}`, index, {
          workflow,
          user_id: index === 0 ? "bob" : "ada",
          ...(index === 2 ? { status: "failed", error: { code: "state", message: "away" } } : {}),
        })
      for (const [query, ids] of [
        ["", ["r4", "r3", "r2", "r1", "r0"]],
        ["?workflow=comment", ["r4", "r2", "r0"]],
        ["?user_id=ada&workflow=alarm", ["r3", "r1"]],
        ["?status=failed", ["r2"]],
        ["?user_id=eve", []],
      ] as const)
        assert.deepStrictEqual(idsOf((yield* sendRequest("GET", `${path}${query}`, { token })).body), [...ids], query)
      const all: Array<string> = []
      for (let after = "", more = true; more;) {
        const { body } = yield* sendRequest("GET", `${path}?limit=2${after}`, { token })
        all.push(...idsOf(body))
        const { next } = body as { next?: string }
        after = `&after=${next}`
        more = next !== undefined
      }
      assert.deepStrictEqual(all, ["r4", "r3", "r2", "r1", "r0"])
      for (const [query, wrong] of [
        ["status=lost", "status"],
        ["limit=0", "limit"],
        ["after=x", "after"],
        ["user_id=a%20b", "user_id"],
        ["workflow=a.b", "workflow"],
      ])
        assert.deepInclude((yield* sendRequest("GET", `${path}?${query}`, { token })).body, {
          status: 422,
          path: wrong,
        })
      const operator = yield* signToken("op", "operator")
      assert.strictEqual((yield* sendRequest("GET", path, { token: operator })).status, 200)
      const own = yield* signToken("ada")
      assert.deepInclude((yield* sendRequest("GET", path, { token: own })).body, { code: "role_missing" })
      assert.strictEqual((yield* sendRequest("GET", path)).status, 401)
    }).pipe(Effect.provide(apiServer())),
  )

  it.live(
    "shows the steps of a run without its texts, by the id of its request too, and retries and cancels it once",
    () =>
      Effect.gen(function* () {
        const token = yield* signToken("php", "publisher")
        yield* storeRun("r1", 1, { wake_at: 3_660_000 })
        yield* storeRun("r2", 2, { status: "failed", error: { code: "state", message: "away" } })
        yield* storeRun("r3", 3, { status: "done", position: 3 })
        yield* (yield* Collection.make(notificationAliases)).put(aliasKeyOf(eventId), { notification_id: "r1" })
        yield* (yield* Collection.make(notificationStates)).put("n1", {
          notification_id: "n1",
          user_id: "ada",
          notification_type: "in_app",
          status: "sent",
          source_event_id: "n1",
          content: { title: "private", text: "private", data: {} },
          deliveries: [],
          requested_at: 0,
          updated_at: "2026-01-01T00:00:00.000Z",
        })
        const { body } = yield* sendRequest("GET", `${path}/${eventId.toUpperCase()}`, { token })
        assert.deepInclude(body, { run_id: "r1", step: "delay 1 h", waits_until: "1970-01-01T01:01:00.000Z" })
        assert.notInclude(JSON.stringify(body), "private")
        assert.deepStrictEqual((body as { steps: unknown }).steps, [
          { text: "in_app", state: "done", name: "in_app", notification_id: "n1", notification_status: "sent" },
          { text: "delay 1 h", state: "current" },
          { text: "email", state: "open", name: "email" },
        ])
        const commands: Array<unknown> = []
        const from = work("notify", notificationCommandKind)
        yield* (yield* EventBus).consume({ name: "test", from, concurrency: 1 }, ({ body: message }) =>
          Effect.sync(() => {
            commands.push(JSON.parse(new TextDecoder().decode(message)).payload)
            return { _tag: "Ack" as const }
          }),
        )
        for (const [action, status] of [
          ["r1/cancel", 202],
          ["r1/cancel", 202],
          ["r1/retry", 409],
          ["r2/retry", 202],
          ["r3/cancel", 409],
          ["r4/cancel", 404],
          ["%00/retry", 404],
        ] as const)
          assert.strictEqual((yield* sendRequest("POST", `${path}/${action}`, { token })).status, status, action)
        yield* eventually(
          Effect.sync(() => commands.length),
          (count) => count === 2,
        )
        assert.sameDeepMembers(commands, [
          { action: "cancel", id: "r1" },
          { action: "retry_run", run_id: "r2" },
        ])
        const own = yield* signToken("ada")
        assert.strictEqual((yield* sendRequest("POST", `${path}/r1/cancel`, { token: own })).status, 403)
      }).pipe(Effect.provide(apiServer())),
  )
})
