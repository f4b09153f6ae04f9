/** Roles, tokens and the audit log. */
import { OperatorApi } from "@armoricore/operator"
import { Audited } from "@armoricore/operator/OperatorApi"
import { assert } from "@effect/vitest"
import { Context, Effect, Stream } from "effect"
import { withToken, RecordedActions, tokenFor } from "../OperatorHarness.ts"
import { type OperatorTest } from "./Harness.ts"

/** Payloads that are well formed, of every procedure. */
const validPayloads: Readonly<Record<string, unknown>> = {
  ListJobs: {},
  WatchJobs: {},
  GetJob: { media_id: "m" },
  CancelJob: { media_id: "m" },
  RetryJob: { media_id: "m" },
  ListDeadLetters: {},
  SearchDeadLetters: {},
  SelectDeadLetters: {},
  GetDeadLetter: { id: "1" },
  ReplayDeadLetter: { id: "1" },
  DiscardDeadLetter: { id: "1" },
  GetMedia: { media_id: "m" },
  GetUser: { user_id: "ada" },
  ListWorkflowRuns: {},
  GetWorkflowRun: { run_id: "r" },
  RetryWorkflowRun: { run_id: "r" },
  CancelNotification: { id: "n" },
  PreviewTemplate: { template: "t", context: "{}" },
  AddTestNotification: { request: { user_id: "u", notification_type: "push", title: "t", body: "b" } },
  ListRooms: {},
  ListSockets: {},
  Kick: { user_id: "ada", reason: "" },
  Ban: { user_id: "ada", reason: "" },
  PauseCircuit: { name: "provider:fcm", reason: "" },
  ResumeCircuit: { name: "provider:fcm" },
  ListSuppressions: {},
  AddSuppression: { address: "anna@example.org" },
  RemoveSuppression: { address: "anna@example.org" },
  ListReviews: {},
  ApproveReview: { review_id: "r" },
  RemoveReview: { review_id: "r" },
  DecideReviews: { review_ids: ["r"], decision: "approve" },
  SetLogLevel: { level: "debug" },
  WatchLive: {},
  ListAudit: {},
}

export const accessBehaviour = (test: OperatorTest): void => {
  test("refuses each procedure without the role, and records it", (client) =>
    Effect.gen(function* () {
      const plain = yield* tokenFor("eve", { roles: ["publisher"] })
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      const tags = [...OperatorApi.requests.keys()]
      for (const [index, tag] of tags.entries()) {
        // The table of the API has them all; TypeScript cannot follow the name to its payload.
        const call = Reflect.get(client, tag) as (payload: unknown) => Effect.Effect<unknown, unknown>
        const isStream = tag.startsWith("Watch")
        const result: unknown = call(validPayloads[tag])
        const running = isStream ? Stream.runHead(result as Stream.Stream<unknown>) : (result as Effect.Effect<unknown>)
        // Each user has an allowance of refusals that are written.
        const other = index < 30 ? "mallory" : "trudy"
        const token = index < 15 ? plain : yield* tokenFor(other, { roles: ["guest"] })
        const refusal = yield* Effect.flip(withToken(token)(running as Effect.Effect<unknown, { reason: string }>))
        assert.strictEqual(refusal.reason, "role_missing", tag)
      }
      const log = yield* op(client.ListAudit({ outcome: "refused" }))
      assert.deepStrictEqual(log.map(({ action }) => action).sort(), [...tags].sort())
      assert.includeMembers(
        log.map(({ user_id }) => user_id),
        ["eve", "mallory", "trudy"],
      )
      assert.deepStrictEqual((yield* RecordedActions).kicked, [])
    }))

  test("refuses a missing, an invalid and a revoked token, each with its reason", (client) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(client.WhoAmI())).reason, "missing")
      assert.strictEqual((yield* Effect.flip(withToken("x.y.z")(client.WhoAmI()))).reason, "invalid")
      const other = withToken(yield* tokenFor("op2", { roles: ["operator"] }))
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      assert.strictEqual((yield* op(client.WhoAmI())).user_id, "op")
      yield* op(client.Ban({ user_id: "op2", reason: "left us" }))
      assert.strictEqual((yield* Effect.flip(other(client.WhoAmI()))).reason, "revoked")
      const [newest] = yield* op(client.ListAudit({ action: "WhoAmI" }))
      assert.deepInclude(newest, { outcome: "refused", user_id: "op2" })
    }))

  test("counts repeated refusals instead of recording each", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.flip(client.WhoAmI()), { discard: true })
      assert.strictEqual((yield* op(client.ListAudit({ outcome: "refused", limit: 1000 }))).length, 20)
    }))

  test("records each action with its user, its target and its result", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      yield* op(client.Kick({ user_id: "ada", reason: "spam" }))
      yield* Effect.flip(op(client.ReplayDeadLetter({ id: "99" })))
      yield* op(client.ListRooms({}))
      const log = yield* op(client.ListAudit({}))
      assert.deepStrictEqual(
        log.map(({ payload, action, outcome, user_id }) => ({ payload, action, outcome, user_id })),
        [
          { action: "ReplayDeadLetter", payload: { id: "99" }, outcome: "failed", user_id: "op" },
          { action: "Kick", payload: { user_id: "ada", reason: "spam" }, outcome: "done", user_id: "op" },
        ],
      )
      assert.deepStrictEqual((yield* RecordedActions).kicked, ["ada: spam"])
      for (const rpc of OperatorApi.requests.values()) {
        assert.strictEqual(
          Context.get(rpc.annotations, Audited),
          /^(Cancel|Retry|Replay|Discard|Kick|Ban|Pause|Resume|Add|Approve|Remove|Decide|Set)/.test(rpc._tag),
          rpc._tag,
        )
      }
    }))
}
