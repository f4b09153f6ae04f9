import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { directTopic } from "@armoricore/domain/DirectTopic"
import * as Signature from "@armoricore/domain/Signature"
import { ReadState } from "@armoricore/realtime/rooms/ReadState"
import { RoomLog } from "@armoricore/realtime/rooms/RoomLog"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Redacted, Schema } from "effect"
import { apiServer, historyUnavailable, sendRequest, signToken } from "./support/ApiServer.ts"

const Page = Schema.Struct({
  messages: Schema.Array(Schema.Struct({ id: Schema.String, seq: Schema.Int, content: Schema.String })),
  more: Schema.Boolean,
})

const UserRooms = Schema.Struct({
  rooms: Schema.Array(Schema.Struct({ topic: Schema.String, room_id: Schema.String, unread: Schema.Int })),
})

/** Appends `count` messages to a chat room. */
const appendMessages = Effect.fnUntraced(function* (room: string, count: number) {
  const roomLog = yield* RoomLog
  for (let number = 1; number <= count; number++) {
    yield* roomLog.append(`chat:room:${room}`, {
      event: "new_message",
      id: `m${number}`,
      payload: {
        id: `m${number}`,
        content: `text ${number}`,
        user_id: "u1",
        room_id: room,
        timestamp: "2026-01-31T12:00:00Z",
      },
    })
  }
})

const get = Effect.fnUntraced(function* (path: string, ...roles: ReadonlyArray<string>) {
  return yield* sendRequest("GET", `/v1/topics/${path}`, { token: yield* signToken("backend", ...roles) })
})

const page = Effect.fnUntraced(function* (query: string) {
  const { body, status } = yield* get(`chat:room:lobby/messages${query}`, "publisher")
  assert.strictEqual(status, 200, JSON.stringify(body))
  const { messages, more } = yield* Schema.decodeUnknownEffect(Page)(body)
  return { messages, contents: messages.map(({ content }) => content), more }
})

describe("GET /v1/topics/{topic}/messages", () => {
  it.live("pages through the messages in both directions", () =>
    Effect.gen(function* () {
      yield* appendMessages("lobby", 5)
      const latest = yield* page("?limit=2")
      assert.deepStrictEqual([latest.contents, latest.more], [["text 4", "text 5"], true])
      const earlier = yield* page(`?limit=2&before=${latest.messages[0]?.seq}`)
      assert.deepStrictEqual([earlier.contents, earlier.more], [["text 2", "text 3"], true])
      const first = yield* page(`?limit=2&before=${earlier.messages[0]?.seq}`)
      assert.deepStrictEqual([first.contents, first.more], [["text 1"], false])
      const later = yield* page(`?limit=3&after=${first.messages[0]?.seq}`)
      assert.deepStrictEqual([later.contents, later.more], [["text 2", "text 3", "text 4"], true])
      const last = yield* page(`?limit=3&after=${later.messages[2]?.seq}`)
      assert.deepStrictEqual([last.contents, last.more], [["text 5"], false])
      assert.lengthOf((yield* page("")).messages, 5)
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("returns the events of a user as the channel does, for ids that need encoding too", () =>
    Effect.gen(function* () {
      const payload = { media_id: "m1" }
      const { seq } = yield* (yield* RoomLog).append("user:auth0|a/b", { event: "media_ready", id: "e1", payload })
      const { body } = yield* get(`${encodeURIComponent("user:auth0|a/b")}/messages`, "operator")
      assert.deepStrictEqual(body, {
        messages: [{ event: "media_ready", seq, payload: { media_id: "m1", seq } }],
        more: false,
        recovered: true,
      })
      const empty = yield* get("chat:room:empty/messages", "operator")
      assert.deepStrictEqual(empty.body, { messages: [], more: false, recovered: true })
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("reads topics with the longest ids, and counts the rooms of users with them", () =>
    Effect.gen(function* () {
      // regression: the router did not match a part of a path with more than 100 characters.
      const emoji = "😀".repeat(128)
      const [first, second] = ["%".repeat(128), emoji]
      const direct = directTopic(first, second)
      for (const topic of [`chat:room:${"r".repeat(128)}`, direct])
        assert.deepStrictEqual((yield* get(`${encodeURIComponent(topic)}/messages`, "publisher")).body, {
          messages: [],
          more: false,
          recovered: true,
        })
      // regression: the history and the read state refused topics of this length.
      const sent = yield* post(
        encodeURIComponent(direct),
        { event: "new_message", payload: { content: "hi" }, as: first },
        "publisher",
      )
      assert.strictEqual(sent.status, 202, JSON.stringify(sent.body))
      for (const [user, unread] of [
        [first, 0],
        [second, 1],
      ] as const) {
        const path = `/v1/users/${encodeURIComponent(user)}/rooms`
        const { body } = yield* sendRequest("GET", path, { token: yield* signToken(user) })
        const { rooms } = yield* Schema.decodeUnknownEffect(UserRooms)(body)
        assert.deepStrictEqual(rooms, [{ topic: direct, room_id: direct, unread }])
      }
      assert.hasAllKeys(yield* (yield* ReadState).ofRoom(direct), [first, second])
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("refuses unknown topics, topics without a history, and wrong pages", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [path: string, status: number, code: string, field: string]> = [
        ["nothing:here/messages", 404, "unknown_topic", "topic"],
        ["chat:room:a b/messages", 404, "unknown_topic", "topic"],
        ["media:m1/messages", 422, "no_history", "topic"],
        ["presence:room:lobby/messages", 422, "no_history", "topic"],
        ["chat:room:lobby/messages?limit=0", 422, "invalid", "limit"],
        ["chat:room:lobby/messages?limit=1001", 422, "invalid", "limit"],
        ["chat:room:lobby/messages?before=-1", 422, "invalid", "before"],
        ["chat:room:lobby/messages?after=x", 422, "invalid", "after"],
        ["chat:room:lobby/messages?after=1&before=9", 422, "invalid", "after"],
        ["media:m1/presence", 422, "no_presence", "topic"],
        ["nothing:here/presence", 404, "unknown_topic", "topic"],
      ]
      for (const [path, status, code, field] of cases) {
        const response = yield* get(path.replace(" ", "%20"), "publisher")
        assert.strictEqual(response.status, status, path)
        assert.propertyVal(response.body, "code", code)
        assert.propertyVal(response.body, "path", field)
      }
    }).pipe(Effect.provide(apiServer())),
  )

  const keys = new Map([["k1", Redacted.make("secret-1")]])

  it.live("asks for the role publisher or operator, or for a signature of the empty body", () =>
    Effect.gen(function* () {
      const path = "chat:room:lobby/messages"
      for (const role of ["publisher", "operator"]) assert.strictEqual((yield* get(path, role)).status, 200)
      for (const roles of [[], ["guest"]]) {
        const response = yield* get(path, ...roles)
        assert.strictEqual(response.status, 403)
        assert.propertyVal(response.body, "code", "role_missing")
      }
      assert.strictEqual((yield* sendRequest("GET", `/v1/topics/${path}`)).status, 401)
      const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const signed = (secret: string) => ({
        headers: {
          [Signature.signatureHeader]: Signature.sign("k1", Redacted.make(secret), seconds, new Uint8Array()),
        },
      })
      assert.strictEqual((yield* sendRequest("GET", `/v1/topics/${path}`, signed("secret-1"))).status, 200)
      assert.strictEqual((yield* sendRequest("GET", `/v1/topics/${path}`, signed("a guess"))).status, 401)
    }).pipe(Effect.provide(apiServer({ signingKeys: keys }))),
  )
})

describe("the other routes of topics and users", () => {
  it.live("answer for a topic and a user without sockets", () =>
    Effect.gen(function* () {
      const present = yield* get("chat:room:lobby/presence", "publisher")
      assert.deepStrictEqual([present.status, present.body], [200, { count: 0, users: {} }])
      const token = yield* signToken("backend", "publisher")
      const body = JSON.stringify({ user_id: "u1" })
      const kicked = yield* sendRequest("POST", "/v1/topics/chat:room:lobby/kick", { token, body })
      assert.deepStrictEqual([kicked.status, kicked.body], [200, { kicked: 0, unresponsive: [] }])
      const invalid = yield* sendRequest("POST", "/v1/topics/chat:room:lobby/kick", { token, body: "{}" })
      assert.deepInclude(invalid.body, { status: 422, path: "user_id" })
      const disconnected = yield* sendRequest("POST", "/v1/users/u1/disconnect", { token, body: "{}" })
      assert.deepStrictEqual([disconnected.status, disconnected.body], [200, { kicked: 0, unresponsive: [] }])
      // The empty object of PHP.
      const empty = yield* sendRequest("POST", "/v1/users/u1/disconnect", { token, body: "[]" })
      assert.deepStrictEqual(empty, disconnected)
      const user = yield* sendRequest("POST", "/v1/users/u1/disconnect", { token: yield* signToken("u1"), body: "{}" })
      assert.strictEqual(user.status, 403)
    }).pipe(Effect.provide(apiServer())),
  )
})

const post = Effect.fnUntraced(function* (topic: string, body: unknown, ...roles: ReadonlyArray<string>) {
  return yield* sendRequest("POST", `/v1/topics/${topic}/events`, {
    token: yield* signToken("backend", ...roles),
    body: JSON.stringify(body),
  })
})

describe("POST /v1/topics/{topic}/events", () => {
  it.live("stores a message for a user, and returns the first one for a repeated client_id", () =>
    Effect.gen(function* () {
      const message = {
        event: "new_message",
        payload: { content: "Your order has shipped" },
        as: "ida",
        client_id: "c1",
      }
      const first = yield* post("chat:room:lobby", message, "publisher")
      assert.strictEqual(first.status, 202, JSON.stringify(first.body))
      assert.deepStrictEqual((yield* post("chat:room:lobby", message, "publisher")).body, first.body)
      const { messages } = yield* page("")
      const [stored, ...others] = messages
      if (stored === undefined) return yield* Effect.die(new Error("no message is stored"))
      assert.lengthOf(others, 0)
      assert.strictEqual(stored.content, "Your order has shipped")
      assert.deepStrictEqual(first.body, { id: stored.id, seq: stored.seq })
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("publishes an array in its order, and a live event without storing it", () =>
    Effect.gen(function* () {
      const say = (content: string) => ({ event: "new_message", payload: { content }, as: "ida" })
      const stored = yield* post("chat:room:lobby", [say("one"), say("two")], "publisher")
      assert.strictEqual(stored.status, 202, JSON.stringify(stored.body))
      const live = yield* post("media:m1", { event: "highlight", payload: { at: 12 } }, "publisher")
      assert.strictEqual(live.status, 202, JSON.stringify(live.body))
      assert.notProperty(live.body, "seq")
      assert.deepStrictEqual((yield* page("")).contents, ["one", "two"])
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("accepts a message only once it is stored", () =>
    Effect.gen(function* () {
      // regression: during an outage of the history, a message that only this process had was answered with 202.
      const message = { event: "new_message", payload: { content: "text" }, as: "ida", client_id: "c1" }
      const refused = yield* post("chat:room:lobby", message, "publisher")
      assert.deepInclude(refused.body, { status: 503, code: "unavailable" })
      assert.isDefined(refused.headers["retry-after"])
    }).pipe(Effect.provide(apiServer({}, MemoryBus.layer, historyUnavailable))),
  )

  it.live("names the wrong field of a refused event", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [topic: string, body: unknown, status: number, path: string | undefined]> = [
        ["nothing:here", { event: "a", payload: {} }, 404, "topic"],
        ["chat:room:lobby", { event: "phx_close", payload: {} }, 422, "event"],
        ["chat:room:lobby", { payload: {} }, 422, "event"],
        ["chat:room:lobby", { event: "new_message", payload: { content: "" }, as: "ida" }, 422, "payload.content"],
        ["chat:room:lobby", { event: "new_message", payload: { content: "x" }, as: "two words" }, 422, "as"],
        ["chat:room:lobby", [{ event: "new_message", payload: { content: "x" }, as: "" }], 422, "0.as"],
        ["chat:room:lobby", [], 422, undefined],
        ["chat:room:lobby", { event: "mark_read", payload: { seq: 1 }, as: "ida" }, 422, "event"],
        ["chat:room:lobby", { event: "delete_message", payload: { id: "m0" }, as: "ida" }, 404, "payload.id"],
      ]
      for (const [topic, body, status, path] of cases) {
        const response = yield* post(topic, body, "publisher")
        assert.strictEqual(response.status, status, JSON.stringify([body, response.body]))
        if (path !== undefined) assert.propertyVal(response.body, "path", path)
      }
      assert.strictEqual((yield* post("chat:room:lobby", { event: "a", payload: [] }, "publisher")).status, 202)
      const text = yield* post("chat:room:lobby", "text", "publisher")
      assert.propertyVal(text.body, "detail", 'the body must be an object or an array, not "text"')
      assert.strictEqual((yield* post("chat:room:lobby", { event: "a", payload: {} })).status, 403)
    }).pipe(Effect.provide(apiServer())),
  )
})

describe("GET /v1/users/{id}/rooms", () => {
  it.live("counts what a user has not read, for the user and for backends", () =>
    Effect.gen(function* () {
      yield* appendMessages("lobby", 3)
      yield* appendMessages("other", 2)
      const { markRead, track } = yield* ReadState
      const [, second] = (yield* page("")).messages
      yield* markRead("chat:room:lobby", "auth0|7", second?.seq ?? 0)
      yield* track("chat:room:other", "auth0|7")
      yield* appendMessages("other", 3)
      const path = `/v1/users/${encodeURIComponent("auth0|7")}/rooms`
      const read = Effect.fnUntraced(function* (user: string, query: string, ...roles: ReadonlyArray<string>) {
        return yield* sendRequest("GET", `${path}${query}`, { token: yield* signToken(user, ...roles) })
      })
      const own = yield* read("auth0|7", "")
      assert.strictEqual(own.status, 200)
      const { rooms } = yield* Schema.decodeUnknownEffect(UserRooms)(own.body)
      assert.deepStrictEqual(rooms.map(({ room_id, unread }) => [room_id, unread]).toSorted(), [
        ["lobby", 1],
        ["other", 1],
      ])
      assert.deepStrictEqual((yield* read("backend", "", "publisher")).body, own.body)
      assert.strictEqual((yield* read("mallory", "")).status, 403)
      const invalid = yield* read("auth0|7", "?limit=0")
      assert.deepInclude(invalid.body, { status: 422, code: "invalid", path: "limit" })
      assert.strictEqual((yield* sendRequest("GET", path, {})).status, 401)
    }).pipe(Effect.provide(apiServer())),
  )
})
