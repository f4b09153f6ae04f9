import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const send = Effect.fnUntraced(function* (
  method: "GET" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
  role = "publisher",
) {
  return yield* sendRequest(method, `/v1/rooms/${path}`, {
    token: yield* signToken("backend", role),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
})

describe("/v1/rooms/{id}/members", () => {
  it.live("adds, changes, lists and removes members", () =>
    Effect.gen(function* () {
      const ann = encodeURIComponent("auth0|ann/1")
      const added = yield* send("PUT", `team/members/${ann}`, { role: "moderator" })
      assert.strictEqual(added.status, 200, JSON.stringify(added.body))
      assert.deepInclude(added.body, { room_id: "team", user_id: "auth0|ann/1", role: "moderator" })
      const changed = yield* send("PUT", `team/members/${ann}`)
      assert.notProperty(changed.body, "role")
      assert.propertyVal(changed.body, "since", Object(added.body).since)
      yield* send("PUT", "team/members/bob", {}, "operator")
      const { body } = yield* send("GET", "team/members?limit=1")
      assert.deepInclude(body, { next: "auth0|ann/1" })
      const rest = yield* send("GET", `team/members?after=${ann}`)
      assert.deepStrictEqual(
        Object(rest.body).members.map(({ user_id }: { user_id: string }) => user_id),
        ["bob"],
      )
      // A member who never joined has the room on its list.
      const rooms = yield* sendRequest("GET", "/v1/users/bob/rooms", { token: yield* signToken("bob") })
      assert.deepStrictEqual(rooms.body, { rooms: [{ topic: "chat:room:team", room_id: "team", seq: 0, unread: 0 }] })
      const removed = yield* send("DELETE", "team/members/bob")
      assert.deepStrictEqual([removed.status, removed.body], [200, { removed: true, ended: 0, unresponsive: [] }])
      assert.deepInclude((yield* send("DELETE", "team/members/bob")).body, { removed: false })
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("names the fault of a refused request", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly ["GET" | "PUT", string, unknown, number, string]> = [
        ["PUT", "a%20b/members/ann", {}, 422, "id"],
        ["PUT", "team/members/a%20b", {}, 422, "user_id"],
        ["PUT", "team/members/ann", { role: "two words" }, 422, "role"],
        ["PUT", "team/members/ann", [], 200, ""],
        ["GET", "team/members?limit=0", undefined, 422, "limit"],
      ]
      for (const [method, path, body, status, field] of cases) {
        const response = yield* send(method, path, body)
        assert.strictEqual(response.status, status, JSON.stringify([path, body, response.body]))
        if (field !== "") assert.propertyVal(response.body, "path", field)
      }
      assert.strictEqual((yield* send("PUT", "team/members/ann", {}, "editor")).status, 403)
      assert.strictEqual((yield* sendRequest("GET", "/v1/rooms/team/members")).status, 401)
    }).pipe(Effect.provide(apiServer())),
  )
})
