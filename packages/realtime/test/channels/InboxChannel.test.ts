/** `inbox:{user_id}`: from the event to every socket of the user. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import * as TestCluster from "../support/TestCluster.ts"
import { connect, joined, type RawClient, start, type TestServer } from "../support/TestServer.ts"

const at = () => new Date().toISOString()

const publish = (server: TestServer, item_id: string, fields: object = {}, source = "notify") =>
  Context.get(server.services, EventBus).publish({
    address: Address.event("inbox.item"),
    id: crypto.randomUUID(),
    body: Buffer.from(
      JSON.stringify({
        event_type: "inbox.item",
        event_id: crypto.randomUUID(),
        timestamp: at(),
        source,
        payload: {
          user_id: "u1",
          notification_id: "n1",
          item_id,
          title: "Hello",
          body: "World",
          created_at: at(),
          ...fields,
        },
      }),
    ),
  })

const push = Effect.fnUntraced(function* (client: RawClient, event: string, payload: object) {
  client.send("1", "7", "inbox:u1", event, payload)
  for (;;) {
    const frame = yield* client.next
    if (frame[3] === "phx_reply") return frame[4]
  }
})

describe("inbox:{user_id}", () => {
  it.live("a new item reaches every socket of the user, and later joins have it", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const tabs = [yield* joined(server, "inbox:u1"), yield* joined(server, "inbox:u1")]
      yield* publish(server, "a", { data: { order: 7 }, category: "orders", actor: "u2" })
      for (const tab of tabs) {
        const [, , , event, payload] = yield* tab.next
        assert.strictEqual(event, "inbox_item")
        assert.deepInclude(payload, {
          id: "a",
          title: "Hello",
          body: "World",
          category: "orders",
          actor: "u2",
          unread: 1,
        })
      }
      yield* publish(server, "b")
      const [, , , , second] = yield* (tabs[0] as RawClient).next
      const client = yield* connect(server)
      client.send("1", "1", "inbox:u1", "phx_join", { since: Number(second["seq"]) - 1 })
      const { response } = (yield* client.next)[4] as {
        response: { items: Array<object>; unread: number; more: boolean }
      }
      assert.strictEqual(response.unread, 2)
      assert.strictEqual(response.more, false)
      assert.strictEqual(response.items.length, 1)
      assert.deepInclude(response.items[0], { id: "b" })
    }),
  )

  it.live("a new item and its reading reach the sockets of the user on every node", () =>
    Effect.gen(function* () {
      const { node } = yield* TestCluster.make()
      const nodes = [yield* node(), yield* node()]
      const tabs = yield* Effect.forEach(nodes, (one) => joined(one, "inbox:u1"))
      const [first, second] = nodes
      const [tab, other] = tabs
      if (first === undefined || second === undefined || tab === undefined || other === undefined)
        return assert.fail("two nodes were started")
      yield* publish(first, "a")
      for (const one of tabs) assert.deepInclude((yield* one.next)[4], { id: "a", unread: 1 })
      tab.send("1", "7", "inbox:u1", "mark_read", { ids: ["a"] })
      const [, , , event, payload] = yield* other.next
      assert.deepStrictEqual([event, payload], ["inbox_read", { ids: ["a"], unread: 0 }])
    }),
  )

  it.live("read and archived items are announced to the other sockets, with the unread count", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const client = yield* joined(server, "inbox:u1")
      const other = yield* joined(server, "inbox:u1")
      for (const id of ["a", "b", "c"]) {
        yield* publish(server, id)
        yield* other.next
      }
      assert.deepStrictEqual(yield* push(client, "mark_read", { ids: ["a"] }), {
        status: "ok",
        response: { ids: ["a"], unread: 2 },
      })
      const received = yield* other.next
      assert.deepStrictEqual(received.slice(3), ["inbox_read", { ids: ["a"], unread: 2 }])
      yield* push(client, "archive", { ids: ["b"] })
      assert.deepStrictEqual((yield* other.next).slice(3), ["inbox_archived", { ids: ["b"], unread: 1 }])
      yield* push(client, "mark_all_read", {})
      assert.deepStrictEqual((yield* other.next).slice(3), ["inbox_read", { ids: ["c"], unread: 0 }])
      yield* push(client, "mark_all_read", {})
      yield* other.nothing
      const { response } = (yield* push(client, "items", { archived: true })) as { response: { items: Array<object> } }
      assert.deepInclude(response.items[0], { id: "b" })
    }),
  )

  it.live("refuses other users, operators too, and names the wrong field", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const stranger = yield* connect(server, { token: yield* server.token("u2", { roles: ["operator"] }) })
      stranger.send("1", "1", "inbox:u1", "phx_join", {})
      assert.deepNestedInclude((yield* stranger.next)[4], { status: "error", "response.reason": "unauthorized" })
      const client = yield* joined(server, "inbox:u1")
      for (const [event, payload, path] of [
        ["mark_read", {}, "ids"],
        ["mark_read", { ids: [] }, "ids"],
        ["archive", { ids: [7] }, "ids.0"],
        ["mark_all_read", { up_to: "x" }, "up_to"],
      ] as const) {
        assert.deepNestedInclude(yield* push(client, event, payload), {
          "response.reason": "invalid_payload",
          "response.path": path,
        })
      }
    }),
  )
})
