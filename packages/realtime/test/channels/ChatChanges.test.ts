/** Edits, removals, reactions, what messages carry, and read state, with the official client. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { EventType } from "@armoricore/domain/EventRegistry"
import { History } from "@armoricore/history/History"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import { ReadState } from "@armoricore/realtime/rooms/ReadState"
import { KeyValue } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer } from "effect"
import { type ChatClient, joined } from "../support/ChatClient.ts"
import { connect, start, type TestServer } from "../support/TestServer.ts"

/** Each append takes as long as over a network. */
const slowHistory = Layer.effect(
  History,
  Effect.map(History, (history) => ({
    ...history,
    append: (room: string, id: string, body: Uint8Array) => Effect.delay(history.append(room, id, body), "5 millis"),
  })),
).pipe(Layer.provide(MemoryHistory.layer()))

const events = (client: ChatClient, event: string) =>
  client.received.filter((one) => one.event === event).map(({ payload }) => payload)

/** The payloads of an event type that the service publishes on the bus. */
const published = Effect.fnUntraced(function* (server: TestServer, type: EventType) {
  const payloads: Array<Record<string, unknown>> = []
  yield* Context.get(server.services, EventBus).subscribe(Address.event(type), ({ body }) => {
    payloads.push(JSON.parse(new TextDecoder().decode(body)).payload)
  })
  return payloads
})

describe("edits and removals", () => {
  it.live("the author edits a message: all members, late ones too, and the bus get the new content", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const edited = yield* published(server, "chat.edited")
      const ann = yield* joined(server, "ann")
      const bob = yield* joined(server, "bob")
      const { id, seq } = yield* ann.say("helo")
      yield* ann.say("second")
      const typing: Array<unknown> = []
      bob.channel.on("user_typing", (payload) => typing.push(payload["is_typing"]))
      yield* ann.ask("typing_start", {})
      const reply = yield* ann.ask("edit_message", { id, content: "hello" })
      assert.deepInclude(reply, { id, seq, content: "hello", user_id: "ann", edited_by: "ann" })
      assert.isString(reply["edited_at"])
      yield* eventually(() => bob.messages.get(id)?.content === "hello")
      yield* eventually(() => typing.join() === "true,false")
      const late = yield* joined(server, "late")
      assert.deepStrictEqual(late.view, bob.view)
      const page = yield* late.ask("history", { limit: 10 })
      assert.deepInclude((page["messages"] as ReadonlyArray<object>)[0] ?? {}, { id, content: "hello" })
      yield* eventually(() => edited.length === 1)
      assert.deepInclude(edited[0] ?? {}, { message_id: id, room_id: "r1", user_id: "ann", content: "hello" })
    }),
  )

  it.live("the author deletes a message: it is gone for all members, late ones and the sender of a repetition", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const removed = yield* published(server, "chat.removed")
      const ann = yield* joined(server, "ann")
      const bob = yield* joined(server, "bob")
      const { id } = yield* ann.say("secret", { client_id: "c1" })
      assert.deepStrictEqual(yield* ann.ask("delete_message", { id }), { id })
      yield* eventually(() => events(bob, "message_removed").length === 1)
      assert.deepInclude(events(bob, "message_removed")[0] ?? {}, { id, reason: "author" })
      assert.deepStrictEqual((yield* joined(server, "late")).view, [])
      const again = yield* ann.push("new_message", { content: "secret", client_id: "c1" })
      assert.deepStrictEqual(again, { status: "error", response: { reason: "removed" } })
      yield* eventually(() => removed.length === 1)
      assert.deepInclude(removed[0] ?? {}, { message_id: id, user_id: "ann", removed_by: "ann", reason: "author" })
    }),
  )

  it.live("only the author and moderators change a message, the author only in time", () =>
    Effect.gen(function* () {
      const server = yield* start({ editWindow: Duration.zero })
      const ann = yield* joined(server, "ann")
      const bob = yield* joined(server, "bob")
      const mod = yield* joined(server, "mod", undefined, ["moderator"])
      const { id } = yield* ann.say("one")
      const reasonOf = (client: ChatClient, event: string, payload: object) =>
        Effect.map(client.push(event, payload), ({ response }) => response["reason"])
      assert.strictEqual(yield* reasonOf(bob, "edit_message", { id, content: "mine" }), "unauthorized")
      assert.strictEqual(yield* reasonOf(bob, "delete_message", { id }), "unauthorized")
      yield* eventually(
        Effect.map(reasonOf(ann, "edit_message", { id, content: "two" }), (reason) => reason === "edit_expired"),
      )
      assert.deepInclude(yield* mod.ask("edit_message", { id, content: "***" }), { user_id: "ann", edited_by: "mod" })
      yield* eventually(() => bob.messages.get(id)?.content === "***")
      yield* mod.ask("delete_message", { id })
      yield* eventually(() => events(bob, "message_removed").length === 1)
      assert.deepInclude(events(bob, "message_removed")[0] ?? {}, { reason: "moderator" })
      assert.strictEqual(yield* reasonOf(ann, "delete_message", { id }), "not_found")
      assert.strictEqual(yield* reasonOf(ann, "edit_message", { id, content: "x" }), "not_found")
    }),
  )
})

describe("reactions", () => {
  it.live("counts each user once, announces the counts and marks the reader's own", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* joined(server, "ann")
      const bob = yield* joined(server, "bob")
      const { id } = yield* ann.say("lunch?")
      assert.deepStrictEqual(yield* ann.ask("react", { id, emoji: "👍" }), { id, counts: { "👍": 1 }, own: ["👍"] })
      assert.deepStrictEqual((yield* ann.ask("react", { id, emoji: "👍" }))["counts"], { "👍": 1 })
      yield* bob.ask("react", { id, emoji: "👍" })
      yield* bob.ask("react", { id, emoji: ":tada:" })
      yield* eventually(() => JSON.stringify(ann.messages.get(id)?.reactions) === '{"👍":2,":tada:":1}')
      const { messages } = yield* bob.ask("history", {})
      assert.deepInclude((messages as ReadonlyArray<object>)[0] ?? {}, {
        reactions: { "👍": 2, ":tada:": 1 },
        own_reactions: ["👍", ":tada:"],
      })
      assert.deepStrictEqual(yield* bob.ask("unreact", { id, emoji: ":tada:" }), {
        id,
        counts: { "👍": 2 },
        own: ["👍"],
      })
      yield* eventually(() => JSON.stringify(ann.messages.get(id)?.reactions) === '{"👍":2}')
      // An edit leaves the reactions.
      yield* ann.ask("edit_message", { id, content: "dinner?" })
      yield* eventually(() => bob.messages.get(id)?.content === "dinner?")
      assert.deepStrictEqual(bob.messages.get(id)?.reactions, { "👍": 2 })
    }),
  )

  it.live("emojis and user ids may be names of JavaScript, such as constructor and __proto__", () =>
    Effect.gen(function* () {
      // regression: a reaction with such an emoji crashed the channel, and so did the read state of such a user.
      const names = ["constructor", "__proto__", "toString"]
      const server = yield* start()
      const ann = yield* joined(server, "ann")
      const { id, seq } = yield* ann.say("react!")
      for (const name of names) {
        const user = yield* joined(server, name)
        yield* user.ask("react", { id, emoji: name })
        yield* ann.ask("react", { id, emoji: name })
        yield* user.ask("mark_read", { seq })
      }
      assert.deepStrictEqual(yield* ann.ask("read_state", {}), {
        users: Object.fromEntries(names.map((name) => [name, seq])),
        listed: true,
      })
      yield* ann.ask("unreact", { id, emoji: "__proto__" })
      assert.deepStrictEqual(yield* ann.ask("unreact", { id, emoji: "valueOf" }), {
        id,
        counts: Object.fromEntries(names.map((name) => [name, name === "__proto__" ? 1 : 2])),
        own: ["constructor", "toString"],
      })
    }),
  )

  it.live("announces many reactions at most four times a second, and limits the emojis of a message", () =>
    Effect.gen(function* () {
      const server = yield* start({}, 0, slowHistory)
      const ann = yield* joined(server, "ann")
      const bob = yield* joined(server, "bob")
      const { id } = yield* ann.say("react!")
      const began = performance.now()
      const emojis = Array.from({ length: 20 }, (_, index) => `:e${index}:`)
      // regression: a message that changed during its announcement was announced again at once.
      const toggle = (client: ChatClient) =>
        Effect.forEach(Array.from({ length: 200 }), (_, index) =>
          client.ask(index % 2 === 0 ? "react" : "unreact", { id, emoji: ":e0:" }),
        )
      yield* Effect.all([toggle(ann), toggle(bob)], { concurrency: 2 })
      for (const emoji of emojis) yield* ann.ask("react", { id, emoji })
      const full = yield* ann.push("react", { id, emoji: ":one-more:" })
      assert.strictEqual(full.response["reason"], "too_many_reactions")
      yield* eventually(() => Object.keys(bob.messages.get(id)?.reactions ?? {}).length === 20)
      const seconds = (performance.now() - began) / 1000
      assert.isAtMost(events(bob, "reactions").length, Math.ceil(seconds * 4) + 1)
    }),
  )
})

describe("comments", () => {
  it.live("can be edited, deleted by moderators and reacted to", () =>
    Effect.gen(function* () {
      const server = yield* start({ commentRate: { perSecond: 1000, burst: 1000 } })
      const edited = yield* published(server, "comment.edited")
      const removed = yield* published(server, "comment.removed")
      const topic = "comments:stream:s1"
      const ann = yield* joined(server, "ann", topic)
      const mod = yield* joined(server, "mod", topic, ["moderator"])
      const { id } = yield* ann.ask("new_comment", { content: "frist" })
      assert.deepInclude(yield* ann.ask("edit_message", { id, content: "first" }), { id, content: "first" })
      assert.deepStrictEqual(yield* mod.ask("react", { id, emoji: "🎬" }), { id, counts: { "🎬": 1 }, own: ["🎬"] })
      yield* eventually(() => events(ann, "reactions").length === 1)
      const { messages } = yield* mod.ask("history", {})
      assert.deepInclude((messages as ReadonlyArray<object>)[0] ?? {}, {
        content: "first",
        reactions: { "🎬": 1 },
        own_reactions: ["🎬"],
      })
      yield* mod.ask("delete_message", { id })
      yield* eventually(() => events(ann, "comment_removed").length === 1)
      assert.deepInclude(events(ann, "comment_removed")[0] ?? {}, { id, reason: "moderator" })
      yield* eventually(() => edited.length === 1 && removed.length === 1)
      assert.deepInclude(removed[0] ?? {}, { comment_id: id, user_id: "ann", removed_by: "mod" })
    }),
  )
})

describe("what a message carries", () => {
  it.live("replies, mentions, metadata and attachments reach members, readers, mentioned users and the bus", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const sent = yield* published(server, "chat.message")
      const user = yield* connect(server, { user: "bob" })
      user.send("1", "1", "user:bob", "phx_join", {})
      yield* user.next
      const ann = yield* joined(server, "ann")
      const { id: reply_to } = yield* ann.say("question")
      const metadata = { color: "red", nested: { deep: [1] } }
      const message = yield* ann.say("@bob see this", {
        reply_to,
        mentions: ["bob", "ann", "bob"],
        metadata,
        attachments: ["v1"],
      })
      assert.deepInclude(message, {
        reply_to,
        mentions: ["bob", "ann"],
        metadata,
        attachments: [{ media_id: "v1", status: "unknown" }],
      })
      const [, , , event, mention] = yield* user.next
      assert.strictEqual(event, "mentioned")
      assert.deepInclude(mention, { room_id: "r1", message_id: message.id, message_seq: message.seq, user_id: "ann" })
      // regression: the message with the mention counted as read.
      const [room] = yield* Context.get(server.services, ReadState).ofUser("bob", 1)
      assert.deepInclude(room ?? {}, { topic: "chat:room:r1", unread: 1 })
      // A user who was offline gets the mention with the history of the topic.
      user.send("2", "2", "user:bob", "phx_join", {})
      const [, , , , { response }] = yield* user.next
      assert.deepStrictEqual(
        (response as { events: ReadonlyArray<{ event: string }> }).events.map((one) => one.event),
        ["mentioned"],
      )
      yield* eventually(() => sent.length === 2)
      assert.deepInclude(sent[1] ?? {}, { reply_to, mentions: ["bob", "ann"], metadata, attachments: ["v1"] })
    }),
  )

  it.live("readers get the current state of an attachment", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* joined(server, "ann")
      const { id } = yield* ann.say("a clip", { attachments: ["v2"] })
      const state = {
        media_id: "v2",
        user_id: "ann",
        status: "processing",
        stage: "transcoding",
        percent: 40,
        source_event_id: "5f0c1b9e-6a52-4bdc-9a52-1c7e3e1f5a01",
        generations: {},
        attempts: [],
        renditions: [],
        timings: {},
        updated_at: "2026-01-31T12:00:00Z",
      }
      yield* Context.get(server.services, KeyValue).put(mediaStates.bucket, "v2", JSON.stringify(state))
      const late = yield* joined(server, "late")
      assert.deepStrictEqual(late.messages.get(id)?.["attachments"], [{ media_id: "v2", status: "processing" }])
    }),
  )
})

describe("bad input", () => {
  it.live("every new event answers with a named reason, and the channel stays", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* joined(server, "ann")
      const guest = yield* joined(server, "guest", undefined, ["guest"])
      const { id } = yield* ann.say("here")
      const wrong = [
        ["edit_message", { content: "x" }, "id"],
        ["edit_message", { id: 7, content: "x" }, "id"],
        ["edit_message", { id, content: "" }, "content"],
        ["edit_message", { id, content: "x".repeat(4001) }, "content"],
        ["delete_message", {}, "id"],
        ["delete_message", { id: "a b" }, "id"],
        ["react", { id }, "emoji"],
        ["react", { id, emoji: "" }, "emoji"],
        ["react", { id, emoji: "two words" }, "emoji"],
        ["react", { id, emoji: "x".repeat(33) }, "emoji"],
        ["unreact", { id, emoji: 7 }, "emoji"],
        ["mark_read", {}, "seq"],
        ["mark_read", { seq: -1 }, "seq"],
        ["mark_read", { seq: "now" }, "seq"],
        ["new_message", { content: "x", reply_to: 7 }, "reply_to"],
        ["new_message", { content: "x", mentions: "bob" }, "mentions"],
        ["new_message", { content: "x", mentions: ["b b"] }, "mentions.0"],
        ["new_message", { content: "x", mentions: Array.from({ length: 21 }, (_, n) => `u${n}`) }, "mentions"],
        ["new_message", { content: "x", metadata: "text" }, "metadata"],
        ["new_message", { content: "x", metadata: { text: "x".repeat(4096) } }, "metadata"],
        ["new_message", { content: "x", metadata: [7] }, "metadata"],
        // regression: PHP could not decode the event of this message.
        ["new_message", { content: "x", metadata: { deep: ["\\", "cut \ud83d"] } }, "metadata"],
        ["new_message", { content: "x", attachments: ["../etc"] }, "attachments.0"],
        ["history", { after: 0, rev: -1 }, "rev"],
      ] as const
      for (const [event, payload, path] of wrong) {
        const { status, response } = yield* ann.push(event, payload)
        assert.deepStrictEqual(
          [event, status, response["reason"], response["path"]],
          [event, "error", "invalid_payload", path],
        )
        assert.isString(response["message"])
      }
      for (const [event, payload] of [
        ["edit_message", { id: "never", content: "x" }],
        ["delete_message", { id: "never" }],
        ["react", { id: "never", emoji: "👍" }],
        ["unreact", { id: "never", emoji: "👍" }],
      ] as const)
        assert.deepStrictEqual((yield* ann.push(event, payload)).response, { reason: "not_found" })
      for (const event of ["edit_message", "delete_message", "react", "mark_read"])
        assert.strictEqual((yield* guest.push(event, { id, content: "x" })).response["reason"], "unauthorized")
      assert.strictEqual(ann.channel.state, "joined")
      yield* ann.say("still here", { metadata: { whole: "😀", text: "\\ud83d" } })
    }),
  )
})

describe("read state", () => {
  it.live("members see who has read what, and a user's other devices get the unread count", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const phone = yield* connect(server, { user: "bob" })
      phone.send("1", "1", "user:bob", "phx_join", {})
      yield* phone.next
      const ann = yield* joined(server, "ann")
      const bob = yield* joined(server, "bob")
      const first = yield* ann.say("1")
      const second = yield* ann.say("2")
      assert.deepStrictEqual(yield* bob.ask("mark_read", { seq: first.seq }), { seq: first.seq })
      yield* eventually(() => events(ann, "read").length === 1)
      assert.deepStrictEqual(events(ann, "read"), [{ user_id: "bob", seq: first.seq }])
      const [, , , event, unread] = yield* phone.next
      assert.deepStrictEqual([event, unread], ["unread", { topic: "chat:room:r1", room_id: "r1", count: 1 }])
      // A position behind the last message would hide later messages, and an earlier one changes nothing.
      assert.deepStrictEqual(yield* bob.ask("mark_read", { seq: second.seq + 1_000_000 }), { seq: second.seq })
      yield* bob.ask("mark_read", { seq: first.seq })
      assert.deepStrictEqual(yield* ann.ask("read_state", {}), { users: { bob: second.seq }, listed: true })
    }),
  )

  it.live("a room with more readers than the limit lists no positions and announces none", () =>
    Effect.gen(function* () {
      const server = yield* start({ readState: { maxListed: 1 } })
      const ann = yield* joined(server, "ann")
      const bob = yield* joined(server, "bob")
      const { seq } = yield* ann.say("1")
      yield* ann.ask("mark_read", { seq })
      yield* eventually(() => events(bob, "read").length === 1)
      yield* bob.ask("mark_read", { seq })
      yield* eventually(Effect.map(bob.ask("read_state", {}), ({ listed }) => listed === false))
      yield* ann.ask("mark_read", { seq })
      yield* expectNothingFor("300 millis", () => events(bob, "read").length > 2)
    }),
  )
})
