import { Inboxes } from "@armoricore/realtime/inbox/Inboxes"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const addItems = Effect.fnUntraced(function* (userId: string, ...ids: ReadonlyArray<string>) {
  const inboxes = yield* Inboxes
  const created_at = new Date(yield* Clock.currentTimeMillis).toISOString()
  for (const id of ids) {
    yield* inboxes.add(userId, { id, notification_id: "n1", title: "Hello", body: "World", data: {}, created_at })
  }
})

const path = "/v1/users/auth0%7C7/inbox"

describe("/v1/users/{id}/inbox", () => {
  it.effect("lists, marks as read and archives for the user and for a backend", () =>
    Effect.gen(function* () {
      yield* addItems("auth0|7", "a", "b", "c")
      const own = yield* signToken("auth0|7")
      const backend = yield* signToken("php", "publisher")
      for (const token of [own, backend]) {
        const { body, status } = yield* sendRequest("GET", `${path}?limit=2`, { token })
        assert.strictEqual(status, 200)
        assert.deepNestedInclude(body, { "items[0].id": "b", "items[1].id": "c", unread: 3, more: true })
      }
      const send = (action: string, body?: object) =>
        sendRequest("POST", `${path}/${action}`, {
          token: own,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
      assert.deepStrictEqual((yield* send("read", { ids: ["a"] })).body, { ids: ["a"], unread: 2 })
      assert.deepStrictEqual((yield* send("archive", { ids: ["b"] })).body, { ids: ["b"], unread: 1 })
      assert.deepStrictEqual((yield* send("read")).body, { ids: ["c"], unread: 0 })
      const archived = yield* sendRequest("GET", `${path}?archived=true`, { token: own })
      assert.deepNestedInclude(archived.body, { "items[0].id": "b", unread: 0 })
    }).pipe(Effect.provide(apiServer())),
  )

  it.effect("refuses other users and guests' changes, and names wrong input", () =>
    Effect.gen(function* () {
      const expect = Effect.fnUntraced(function* (
        method: "GET" | "POST",
        target: string,
        token: string,
        fields: object,
        body?: string,
      ) {
        const response = yield* sendRequest(method, target, { token, ...(body === undefined ? {} : { body }) })
        assert.deepInclude(response.body, fields)
      })
      const own = yield* signToken("auth0|7")
      yield* expect("GET", path, yield* signToken("8"), { status: 403, code: "forbidden" })
      yield* expect("POST", `${path}/read`, yield* signToken("auth0|7", "guest"), { status: 403, code: "guest" })
      yield* expect("GET", `${path}?limit=201`, own, { status: 422, path: "limit" })
      yield* expect("GET", `${path}?archived=yes`, own, { status: 422, path: "archived" })
      yield* expect("GET", `${path}?before=1&after=2`, own, { status: 422, path: "after" })
      // Without `ids` everything is read, so a misspelt `ids` must not mean that.
      yield* expect("POST", `${path}/read`, own, { status: 422, path: "id" }, '{"id": ["a"]}')
      yield* expect("POST", `${path}/archive`, own, { status: 422, path: "ids" }, "{}")
      yield* expect("GET", "/v1/users/a%20b/inbox", own, { status: 422, path: "user_id" })
    }).pipe(Effect.provide(apiServer())),
  )
})
