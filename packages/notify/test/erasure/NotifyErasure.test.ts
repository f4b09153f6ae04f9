import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { KeyValue } from "@armoricore/state/KeyValue"
import { audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import * as States from "@armoricore/state/NotificationStates"
import { digests, workflowRuns } from "@armoricore/state/WorkflowRuns"
import { SuppressionList } from "@armoricore/state/SuppressionList"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import type { ErasureRequest } from "@armoricore/worker/erasure/ErasureStore"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as NotifyErasure from "../../src/erasure/NotifyErasure.ts"

const canary = "canary-77ab"
const request = (userId: string): ErasureRequest => ({
  userId,
  requestId: "r1",
  requestedAt: "2026-02-01T12:00:00Z",
  publish: () => Effect.void,
})

const store = Effect.fnUntraced(function* (id: string, userId: string) {
  const state = yield* KeyValue
  const notifications = yield* Collection.make(States.notificationStates)
  const mailbox = yield* Collection.make(States.inboxMessages)
  const address = `${canary}-${userId}@example.com`
  yield* notifications.put(id, {
    notification_id: id,
    user_id: userId,
    notification_type: "email",
    status: "sent",
    source_event_id: `event-${id}`,
    content: { title: canary, text: canary, data: {} },
    deliveries: [{ delivery_id: `${id}.email.1`, target: { channel: "email", address } }],
    requested_at: 1,
    updated_at: "2026-01-31T12:00:00Z",
  })
  for (const key of [`${id}.email.1`, `${id}.batch.0`, `event-${id}.request`])
    yield* state.put(States.deliveryStates.bucket, key, canary)
  yield* mailbox.put(`${id}.email.1`, {
    message_id: `${id}.email.1`,
    user_id: userId,
    notification_id: id,
    channel: "email",
    to: address,
    title: canary,
    text: canary,
    data: {},
    attachments: [],
    received_at: "2026-01-31T12:00:00Z",
  })
  yield* (yield* SuppressionList).add(
    { address },
    { reason: "bounced", evidence: `550 ${address}`, delivery_id: `${id}.email.1` },
  )
  return address
})

describe("NotifyErasure", () => {
  it.effect(
    "removes notifications, deliveries, mail and quoted replies of one user; the address stays suppressed",
    () =>
      Effect.gen(function* () {
        const state = yield* KeyValue
        const address = yield* store("n1", "u1")
        yield* store("n2", "u2")
        const stores = yield* NotifyErasure.makeStores
        const pass = Effect.gen(function* () {
          const removed: Record<string, number> = {}
          for (const { erase, name } of stores) removed[name] = yield* erase(request("u1"))
          return removed
        })
        assert.deepStrictEqual(yield* pass, {
          suppression_reasons: 1,
          notifications: 1,
          mailbox: 1,
          workflow_runs: 0,
          audience_sends: 0,
          audience_chunks: 0,
        })
        assert.deepStrictEqual(yield* pass, {
          suppression_reasons: 0,
          notifications: 0,
          mailbox: 0,
          workflow_runs: 0,
          audience_sends: 0,
          audience_chunks: 0,
        })
        for (const { bucket } of [
          States.notificationStates,
          States.deliveryStates,
          States.inboxMessages,
          States.suppressions,
        ]) {
          const entries = yield* state.list(bucket, { limit: 100 })
          assert.isNotEmpty(entries)
          for (const { key, value } of entries)
            assert.notInclude(`${key} ${value}`, bucket === States.suppressions.bucket ? `${canary}-u1` : "n1")
        }
        const { entries } = yield* (yield* SuppressionList).list({ address, limit: 10 })
        assert.deepInclude(entries[0], { reason: "bounced" })
        assert.notProperty(entries[0], "evidence")
      }).pipe(
        Effect.provide(Layer.mergeAll(SuppressionList.layer, Ledger.layer).pipe(Layer.provideMerge(MemoryState.layer))),
      ),
  )

  it.effect("removes open digests, also one that no run names yet, and the user's requests to audiences", () =>
    Effect.gen(function* () {
      const runs = yield* Collection.make(workflowRuns)
      const openDigests = yield* Collection.make(digests)
      const sends = yield* Collection.make(audienceSends)
      const at = "2026-01-31T12:00:00Z"
      const content = { title: canary, body: canary, data: {}, context: {} }
      for (const user_id of ["u1", "u2"]) {
        const run_id = `run-${user_id}`
        yield* runs.put(run_id, {
          run_id,
          workflow: "daily",
          user_id,
          source_event_id: "e1",
          content: { ...content, recipients: [] },
          instructions: [],
          position: 0,
          status: "running",
          sent: {},
          started_at: at,
          updated_at: at,
        })
        // regression: a crash before the run named its digest left the digest behind.
        yield* openDigests.put(`digest.${user_id}`, { run_id, closes_at: 1, items: [{ run_id, ...content }] })
        yield* sends.put(user_id, {
          send_id: user_id,
          audience: "fans",
          status: "running",
          source_event_id: "e2",
          payload: JSON.stringify({ user_id, title: canary }),
          lanes: [],
          started_at: at,
          updated_at: at,
        })
      }
      yield* openDigests.put("digest.orphan", { run_id: "gone", closes_at: 1, items: [{ run_id: "gone", ...content }] })
      const stores = yield* NotifyErasure.makeStores
      const pass = Effect.forEach(
        stores.filter(({ name }) => name === "workflow_runs" || name === "audience_sends"),
        ({ erase }) => erase(request("u1")),
      )
      assert.deepStrictEqual(yield* pass, [3, 1])
      assert.deepStrictEqual(yield* pass, [0, 0])
      const state = yield* KeyValue
      for (const { bucket } of [workflowRuns, audienceSends])
        assert.notInclude(JSON.stringify(yield* state.list(bucket, { limit: 10 })), "u1")
      assert.lengthOf(yield* state.list(workflowRuns.bucket, { limit: 10 }), 2)
    }).pipe(
      Effect.provide(Layer.mergeAll(SuppressionList.layer, Ledger.layer).pipe(Layer.provideMerge(MemoryState.layer))),
    ),
  )
})
