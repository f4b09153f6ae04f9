import { readFileSync } from "node:fs"
import { buckets, declarations } from "@armoricore/realtime/channels/BuiltInChannels"
import { mediaStates } from "@armoricore/state/MediaStates"
import { userInboxes } from "@armoricore/state/UserInbox"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { connect, start } from "../support/TestServer.ts"

describe("the built-in channels", () => {
  it.live("are all registered, and each topic matches its own channel", () =>
    Effect.gen(function* () {
      const { channels } = yield* start({ channels: [{ topic: "room:x" }] })
      assert.includeMembers(
        [...channels.patterns()],
        declarations.map(([, { topic }]) => topic),
      )
      for (const [, { topic }] of declarations) {
        const example = topic.startsWith("dm:") ? "dm:a:b" : topic.replace(/\{.*\}/, "x")
        assert.strictEqual(channels.find(example)?.channel.pattern, topic)
      }
    }),
  )

  it("declare the buckets that they use", () => {
    assert.deepStrictEqual(
      [buckets.reads, buckets.writes].map((used) => used.map(({ name }) => name)),
      [[mediaStates.bucket.name], ["realtime_user_reads", "realtime_room_reads", userInboxes.bucket.name]],
    )
  })
})

/** Of `docs/clients.md`. */
const reasons = new Set(
  [
    ...readFileSync(new URL("../../../../docs/clients.md", import.meta.url), "utf8").matchAll(
      /^\| `([a-z_ ]+)` +\| /gm,
    ),
  ].map(([, reason]) => reason),
)

/** A payload that the schemas accept, so that one wrong field reaches its own check. */
const plausible = {
  content: "hello",
  id: "m1",
  emoji: "👍",
  seq: 1,
  ids: ["m1"],
  event: "move",
  payload: { x: 1 },
  status: "away",
}

const hostileValues: ReadonlyArray<unknown> = [
  null,
  true,
  -1,
  1.5,
  1e300,
  "",
  " ",
  "\ud800",
  "\u0000",
  "x".repeat(5000),
  [],
  [[null]],
  {},
  JSON.parse('{"__proto__": {"a": 1}, "constructor": 1}'),
]

const fieldsOf = (payload: Schema.Constraint): ReadonlyArray<string> => {
  const { schema } = Schema.toJsonSchemaDocument(payload)
  return Object.keys(Object(schema)["properties"] ?? {})
}

const hostilePayloads = (schema: Schema.Constraint): ReadonlyArray<unknown> => [
  ...hostileValues,
  plausible,
  ...fieldsOf(schema).flatMap((field) => hostileValues.map((value) => ({ ...plausible, [field]: value }))),
]

describe("hostile payloads", () => {
  const topics: Readonly<Record<string, string>> = {
    chat: "chat:room:r1",
    direct: "dm:ann:bob",
    comments: "comments:stream:s1",
    presence: "presence:room:r1",
    room: "room:lobby",
    media: "media:m1",
    user: "user:ann",
    inbox: "inbox:ann",
  }

  it.live(
    "every join and every event of every channel gets ok or a documented reason, and the channel stays",
    () =>
      Effect.gen(function* () {
        assert.isAbove(reasons.size, 10)
        const server = yield* start({ channels: [{ topic: "room:lobby" }] })
        const client = yield* connect(server, { user: "ann" })
        let pushes = 0
        const ask = Effect.fnUntraced(function* (topic: string, event: string, payload: unknown) {
          const ref = `${++pushes}`
          client.send("1", ref, topic, event, payload)
          for (;;) {
            const [, answered, , kind, reply] = yield* client.next
            assert.notStrictEqual(kind, "phx_error", `${topic} ${event} ${JSON.stringify(payload)}`)
            if (answered === ref) return reply
          }
        })
        for (const [name, { client: events, join }] of declarations) {
          const topic = topics[name] ?? ""
          const check = Effect.fnUntraced(function* (event: string, payload: unknown) {
            const { response, status } = yield* ask(topic, event, payload)
            const { message, path, reason } = Object(response)
            const sent = `${topic} ${event} ${JSON.stringify(payload)}`
            if (status === "ok") return
            assert.isTrue(reasons.has(reason), `${sent}: ${reason}`)
            if (reason === "invalid_payload")
              assert.isTrue(typeof path === "string" && typeof message === "string", sent)
          })
          for (const payload of hostilePayloads(join.payload)) {
            yield* check("phx_join", payload)
            yield* ask(topic, "phx_leave", {})
          }
          // With `ack`, broadcasts have replies too.
          assert.strictEqual((yield* ask(topic, "phx_join", { ack: true }))["status"], "ok", topic)
          for (const [event, { payload: schema }] of Object.entries(events)) {
            for (const payload of hostilePayloads(schema)) yield* check(event, payload)
          }
          yield* check("no_such_event", {})
          assert.include([...(server.endpoint.sockets()[0]?.topics() ?? [])], topic)
        }
      }),
    30_000,
  )
})
