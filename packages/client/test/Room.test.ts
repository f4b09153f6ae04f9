/** Rooms of the client over the official `phoenix` client and a real server. */
import { connect, directTopic, openPresence, openRoom, type Room, watchMedia } from "@armoricore/client"
import { directTopic as serverDirectTopic } from "@armoricore/domain/DirectTopic"
import { eventually } from "@armoricore/testing/Eventually"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { WebSocket } from "ws"
import { start, type TestServer } from "../../realtime/test/support/TestServer.ts"
import * as PhoenixSocket from "./support/PhoenixSocket.ts"

const enter = Effect.fnUntraced(function* (server: TestServer, user: string, roles?: ReadonlyArray<string>) {
  const socket = yield* PhoenixSocket.connect(server, user, roles)
  const room = openRoom(socket, "chat:room:lobby", { userId: user, presence: true })
  yield* eventually(() => room.state().status === "joined")
  return { room, socket }
})

const contents = (room: Room) => room.state().messages.map(({ content }) => content)
const run = <A>(effect: () => Promise<A>) => Effect.promise(effect)
const failureOf = (effect: () => Promise<unknown>) =>
  Effect.promise(() =>
    effect().then(
      () => undefined,
      (error: unknown) => error,
    ),
  )

describe("a room", () => {
  it.live("shows an own message at once and once, and those of others with who types and who is there", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* enter(server, "ann")
      const bob = yield* enter(server, "bob")
      yield* eventually(
        () =>
          ann.room
            .state()
            .present.map(({ user_id }) => user_id)
            .join() === "ann,bob",
      )
      ann.room.setTyping(true)
      ann.room.setTyping(true)
      yield* eventually(() => bob.room.state().typing.join() === "ann")
      assert.deepStrictEqual(ann.room.state().typing, [])

      let longest = 0
      ann.room.subscribe(() => {
        longest = Math.max(longest, ann.room.state().messages.length)
      })
      const sent = ann.room.send("hello")
      assert.deepInclude(ann.room.state().messages[0], { content: "hello", delivery: "sending", user_id: "ann" })
      yield* run(() => sent)
      yield* eventually(() => bob.room.state().messages.length === 1)
      assert.deepInclude(ann.room.state().messages[0], { content: "hello", delivery: "sent" })
      assert.strictEqual(longest, 1)
      assert.deepStrictEqual(bob.room.state().typing, [])
      assert.deepStrictEqual([ann.room.state().unread, bob.room.state().unread], [0, 1])
      yield* run(() => bob.room.markRead())
      assert.strictEqual(bob.room.state().unread, 0)
      yield* eventually(() => ann.room.state().readBy["bob"] === bob.room.state().messages[0]?.seq)
    }),
  )

  it.live("counts as unread what the user has not read, in an earlier visit or in another tab", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* enter(server, "ann")
      for (const content of ["1", "2", "3"]) yield* run(() => ann.room.send(content))
      const [first] = ann.room.state().messages
      const options = { userId: "bob", readUpTo: first?.seq ?? 0 }
      const tabs: Array<Room> = []
      for (let n = 0; n < 2; n++)
        tabs.push(openRoom(yield* PhoenixSocket.connect(server, "bob"), "chat:room:lobby", options))
      yield* eventually(() => tabs.every((tab) => tab.state().unread === 2))
      yield* run(() => tabs[0]?.markRead() ?? Promise.resolve())
      yield* eventually(() => tabs.every((tab) => tab.state().unread === 0))
    }),
  )

  it.live("shows a refused message with the reason, and sends others again until they are answered", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const { room, socket } = yield* enter(server, "ann")
      assert.deepInclude(yield* failureOf(() => room.send("")), { reason: "invalid_payload", path: "content" })
      const [failed] = room.state().messages
      assert.deepInclude(failed, { delivery: "failed" })
      yield* run(() => room.remove(failed?.id ?? ""))
      assert.lengthOf(room.state().messages, 0)

      socket.disconnect()
      yield* eventually(() => server.endpoint.size() === 0)
      const sent = room.send("while away")
      socket.connect()
      yield* run(() => sent)
      assert.deepStrictEqual(contents(room), ["while away"])
    }),
  )

  it.live("recovers what it missed, and loads older messages", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* enter(server, "ann")
      for (let n = 1; n <= 5; n++) yield* run(() => ann.room.send(`${n}`))
      const socket = yield* PhoenixSocket.connect(server, "bob")
      const room = openRoom(socket, "chat:room:lobby", { last: 2, userId: "bob" })
      yield* eventually(() => room.state().status === "joined")
      assert.deepStrictEqual([contents(room), room.state().hasOlder], [["4", "5"], true])
      assert.isTrue(yield* run(() => room.loadOlder(2)))
      assert.deepStrictEqual([contents(room), room.state().hasOlder], [["2", "3", "4", "5"], true])
      assert.isTrue(yield* run(() => room.loadOlder(2)))
      assert.deepStrictEqual([contents(room), room.state().hasOlder], [["1", "2", "3", "4", "5"], false])
      assert.isFalse(yield* run(() => room.loadOlder(2)))

      socket.disconnect()
      yield* eventually(() => server.endpoint.size() === 1)
      yield* run(() => ann.room.send("6"))
      socket.connect()
      yield* eventually(() => contents(room).length === 6)
      assert.deepStrictEqual(contents(room), ["1", "2", "3", "4", "5", "6"])
    }),
  )

  it.live("shows edits, removals and reactions, also those of the time that it was away", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* enter(server, "ann")
      const bob = yield* enter(server, "bob")
      for (const content of ["1", "2", "3"]) yield* run(() => ann.room.send(content))
      yield* eventually(() => bob.room.state().messages.length === 3)
      const [first, second, third] = ann.room.state().messages.map(({ id }) => id)
      yield* run(() => bob.room.react(first ?? "", "👍"))
      yield* eventually(() => ann.room.state().messages[0]?.reactions?.["👍"] === 1)
      assert.deepStrictEqual(bob.room.state().messages[0]?.own_reactions, ["👍"])

      bob.socket.disconnect()
      yield* eventually(() => server.endpoint.size() === 1)
      yield* run(() => ann.room.edit(first ?? "", "1!"))
      yield* run(() => ann.room.remove(second ?? ""))
      yield* run(() => ann.room.react(third ?? "", "🎉"))
      yield* run(() => ann.room.send("4", { reply_to: first ?? "" }))
      bob.socket.connect()
      yield* eventually(() => contents(bob.room).join() === "1!,3,4")
      const [edited, reacted, reply] = bob.room.state().messages
      assert.isDefined(edited?.edited_at)
      assert.deepStrictEqual(edited?.own_reactions, ["👍"])
      yield* eventually(() => reacted !== undefined && bob.room.state().messages[1]?.reactions?.["🎉"] === 1)
      assert.strictEqual(reply?.reply_to, first)
      yield* run(() => bob.room.unreact(first ?? "", "👍"))
      yield* eventually(() => ann.room.state().messages[0]?.reactions?.["👍"] === undefined)
      assert.deepStrictEqual(contents(ann.room), ["1!", "3", "4"])
      assert.deepInclude(yield* failureOf(() => bob.room.edit(first ?? "", "x")), { reason: "unauthorized" })
    }),
  )

  it.live("that refuses the user is not joined again, and one that removes the user is closed", () =>
    Effect.gen(function* () {
      const server = yield* start({ access: { roomPolicy: "members" } })
      const socket = yield* PhoenixSocket.connect(server, "ann")
      const room = openRoom(socket, "chat:room:lobby")
      yield* eventually(() => room.state().status === "refused")
      assert.strictEqual(room.state().error?.reason, "unauthorized")
      const operator = yield* enter(server, "op", ["operator"])
      for (const open of server.endpoint.sockets()) open.kickFrom("chat:room:lobby", "spam")
      yield* eventually(() => operator.room.state().status === "closed")
      assert.strictEqual(operator.room.state().error?.reason, "spam")
    }),
  )
})

describe("the other topics", () => {
  it.live("presence has the status of each user, media the state of the upload", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const socket = yield* PhoenixSocket.connect(server, "ann")
      const presence = openPresence(socket, "lobby")
      const other = openPresence(yield* PhoenixSocket.connect(server, "bob"), "lobby", { status: "away" })
      const people = () =>
        presence
          .state()
          .users.map(({ status, user_id }) => `${user_id} ${status}`)
          .join()
      yield* eventually(() => people() === "ann online,bob away")
      yield* run(() => other.setStatus("online"))
      yield* eventually(() => people() === "ann online,bob online")
      yield* run(() => other.leave())
      yield* eventually(() => people() === "ann online" && presence.state().count === 1)

      const media = watchMedia(socket, "m1")
      yield* eventually(() => media.state().status === "unknown")
      yield* server.topics.broadcast("media:m1", "media_progress", {
        media_id: "m1",
        user_id: "ann",
        stage: "transcoding",
        percent: 40,
      })
      yield* eventually(() => media.state().percent === 40)
    }),
  )

  it("the topic of direct messages is that of the server", () => {
    for (const [one, other] of [
      ["a", "b"],
      ["urn:x:1", "100%"],
      ["b", "a"],
      ["ab", "a"],
      ["😀", "\uff21"],
    ] as const)
      assert.strictEqual(directTopic(one, other), serverDirectTopic(one, other))
    // regression: the topic differed from that of a backend in PHP, which sorts bytes.
    assert.strictEqual(directTopic("😀", "\uff21"), "dm:\uff21:😀")
    assert.strictEqual(directTopic("ab", "a"), "dm:a:ab")
  })
})

describe("a connection", () => {
  it.live("renews its token before it expires", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const services = yield* Effect.context<never>()
      const tokens: Array<string> = []
      const token = () =>
        Effect.runPromiseWith(services)(
          Effect.tap(server.token("ann", { ttl: Duration.seconds(tokens.length === 0 ? 4 : 3600) }), (issued) =>
            Effect.sync(() => tokens.push(issued)),
          ),
        )
      const { close, socket } = connect(server.url, { token, socket: { transport: WebSocket } })
      yield* Effect.addFinalizer(() => Effect.sync(close))
      const room = openRoom(socket, "chat:room:lobby")
      yield* eventually(() => room.state().status === "joined")
      const expiry = () => server.endpoint.sockets()[0]?.identity.expiresAt ?? 0
      const first = expiry()
      yield* eventually(() => expiry() > first + 60_000)
      assert.lengthOf(tokens, 2)
      assert.strictEqual(room.state().status, "joined")
    }),
  )

  it.live("fetches a token again when the server rejects it", () =>
    Effect.gen(function* () {
      // regression: a page whose token the server no longer accepted did not connect again before the token expired.
      const server = yield* start()
      const [revoked, valid] = [yield* (yield* start()).token("ann"), yield* server.token("ann")]
      const tokens = [`${revoked}x`, valid]
      const options = { transport: WebSocket, reconnectAfterMs: () => 5 }
      const { close, socket } = connect(server.url, { token: () => tokens.shift() ?? valid, socket: options })
      yield* Effect.addFinalizer(() => Effect.sync(close))
      const room = openRoom(socket, "chat:room:lobby")
      yield* eventually(() => room.state().status === "joined")
    }),
  )
})
