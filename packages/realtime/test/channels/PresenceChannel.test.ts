/** Presence as the official client's own class sees it. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect } from "effect"
import { type Channel, Presence, Socket } from "phoenix"
import { WebSocket } from "ws"
import { connect, joined, type RawClient, start, type TestServer } from "../support/TestServer.ts"

const until = (condition: () => boolean) => Effect.repeat(Effect.sleep("5 millis"), { while: () => !condition() })

const answered = (push: ReturnType<Channel["join"]>) =>
  Effect.callback<void>((resume) => {
    push.receive("ok", () => resume(Effect.void))
  })

const present = Effect.fnUntraced(function* (
  server: TestServer,
  user: string,
  topic: string,
  params: Record<string, unknown> = {},
) {
  const token = yield* server.token(user)
  const socket = new Socket(server.url, { transport: WebSocket, params: { token } })
  yield* Effect.addFinalizer(() => Effect.sync(() => socket.disconnect()))
  socket.connect()
  const channel = socket.channel(topic, params)
  const presence = new Presence(channel)
  const seen: Array<string> = []
  presence.onJoin((key, current) => seen.push(`${current === undefined ? "+" : "+again "}${key}`))
  presence.onLeave((key, current) => seen.push(`${current.metas.length === 0 ? "-" : "-one "}${key}`))
  yield* answered(channel.join())
  return {
    socket,
    channel,
    presence,
    seen,
    users: () =>
      presence
        .list((key, { metas }) => `${key}:${metas.map(({ status }) => String(status)).join("+")}`)
        .sort()
        .join(" "),
  }
})

const room = "presence:room:r1"

describe("presence", () => {
  it.live("a reader too slow for every change is told the latest state once it reads again", () =>
    Effect.gen(function* () {
      const server = yield* start({ limits: { maxQueuedBytes: 300_000 } })
      const slow = yield* present(server, "slow", room)
      const quick = yield* present(server, "quick", room)
      yield* answered(slow.socket.channel("room:noise").join())
      let [few, many] = [0, 0]
      slow.channel.on("presence_diff", () => few++)
      quick.channel.on("presence_diff", () => many++)
      const { conn } = slow.socket as unknown as { readonly conn: WebSocket }
      conn.pause()
      // Far more than the kernel takes, so that each change finds the queue full.
      const noise = { text: "x".repeat(100_000) }
      const flood = Effect.forEach(
        Array.from({ length: 200 }),
        () =>
          Effect.callback<void>((resume) => {
            server.topics.deliver("room:noise", "noise", noise, { droppable: true })
            setImmediate(() => resume(Effect.void))
          }),
        { discard: true },
      )
      yield* flood
      for (let n = 0; n < 10; n++) {
        const before = many
        const guest = yield* joined(server, room, { user: `guest-${n}` })
        yield* until(() => many > before)
        if (n % 2 === 0) guest.ws.terminate()
        yield* until(() => server.endpoint.size() === 2 + Math.floor((n + 1) / 2))
        yield* flood
      }
      yield* until(() => quick.presence.list((key) => key).length === 7)
      conn.resume()
      yield* until(() => slow.users() === quick.users())
      assert.isBelow(few, many)
      const last = yield* joined(server, room, { user: "last" })
      yield* until(() => slow.users().includes("last:online"))
      last.ws.terminate()
      yield* until(() => !slow.users().includes("last"))
    }),
  )

  it.live("shows who comes, changes and goes, several times each", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* present(server, "ann", room)
      yield* until(() => ann.users() === "ann:online")
      const bob = yield* present(server, "bob", room, { status: "away" })
      yield* until(() => ann.users() === "ann:online bob:away" && bob.users() === ann.users())
      const again = yield* present(server, "ann", room)
      yield* until(() => bob.users() === "ann:online+online bob:away")
      bob.channel.push("update_status", { status: "online" })
      yield* until(() => ann.users() === "ann:online+online bob:online" && again.users() === ann.users())
      again.socket.disconnect()
      yield* until(() => bob.users() === "ann:online bob:online")
      bob.channel.leave()
      yield* until(() => ann.users() === "ann:online")
      // The first diff repeats what the state said of the member itself; the client takes it for the same.
      assert.deepStrictEqual(ann.seen, [
        "+ann",
        "+again ann",
        "+bob",
        "+again ann",
        "+again bob",
        "-one bob",
        "-one ann",
        "-bob",
      ])
    }),
  )

  it.live("a user whose id is a name of JavaScript's was in no list", () =>
    Effect.gen(function* () {
      // All three come within this time.
      const server = yield* start({ presence: { batchWindow: Duration.seconds(1) } })
      const users = ["__proto__", "constructor"]
      for (const user of users) yield* joined(server, room, { user })
      const client = yield* joined(server, room, { user: "ann" })
      const [, , , event, state] = yield* client.next
      assert.strictEqual(event, "presence_state")
      assert.sameMembers(Object.keys(state), [...users, "ann"])
      const [, , , , { joins }] = yield* client.next
      assert.sameMembers(Object.keys(Object(joins)), [...users, "ann"])
    }),
  )

  it.live("is on chat for those who ask, and for nobody else", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const quiet = yield* joined(server, "chat:room:r1", { user: "quiet" })
      const ann = yield* present(server, "ann", "chat:room:r1", { presence: true })
      yield* until(() => ann.users() === "ann:online")
      yield* quiet.nothing
    }),
  )

  it.live("a join gets its reply first, then the state, and then changes", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const client: RawClient = yield* joined(server, room, { user: "ann" })
      const [, , , first, state] = yield* client.next
      assert.strictEqual(first, "presence_state")
      const [, , , second, diff] = yield* client.next
      assert.strictEqual(second, "presence_diff")
      assert.deepStrictEqual(diff, { joins: state, leaves: {} })
    }),
  )

  it.live("gives numbers where a room is too large to be listed, and the list again when it is smaller", () =>
    Effect.gen(function* () {
      const server = yield* start({ presence: { maxListed: 5 } })
      const first = yield* present(server, "first", room)
      let count = 0
      first.channel.on("presence_count", ({ count: now }) => (count = Number(now)))
      const others = yield* Effect.forEach(["a", "b", "c", "d", "e", "f"], (user) => present(server, user, room))
      yield* until(() => count === 7 && first.users() === "")
      assert.strictEqual(others[5]?.users(), "")
      for (const other of others.slice(1)) other.socket.disconnect()
      yield* until(() => first.users() === "a:online first:online")
    }),
  )

  it.live("a socket that goes while it joins leaves nobody behind", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const ann = yield* present(server, "ann", room)
      for (let n = 0; n < 20; n++) {
        const client = yield* connect(server, { user: `passer-${n}` })
        client.send("1", "1", room, "phx_join", {})
        client.send("1", "2", "chat:room:r1", "phx_join", { presence: true })
        if (n % 2 === 0) client.ws.terminate()
        else
          yield* Effect.andThen(
            client.next,
            Effect.sync(() => client.ws.terminate()),
          )
      }
      yield* until(() => server.endpoint.size() === 1)
      yield* until(() => ann.users() === "ann:online")
      const late = yield* present(server, "late", "chat:room:r1", { presence: true })
      yield* until(() => late.users() === "late:online")
    }),
  )

  it.live("a room that empties and fills again within a moment has nobody who is gone", () =>
    Effect.gen(function* () {
      const server = yield* start()
      for (let n = 0; n < 5; n++) {
        const topic = `presence:room:quick-${n}`
        const passer = yield* joined(server, topic, { user: "passer" })
        passer.ws.terminate()
        yield* until(() => server.endpoint.sockets().every(({ identity }) => identity.userId !== "passer"))
        const late = yield* present(server, "late", topic)
        const last = yield* present(server, "last", topic)
        // Changes are told in their order: what came of the passer came before this.
        yield* until(() => late.users().includes("last:online"))
        assert.strictEqual(late.users(), "last:online late:online")
        late.socket.disconnect()
        last.socket.disconnect()
      }
    }),
  )

  it.live("tells the bus of a user's first join, changes and last leave", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const told: Array<string> = []
      yield* Context.get(server.services, EventBus).subscribe(Address.event("presence.update"), ({ body }) => {
        const { payload } = JSON.parse(new TextDecoder().decode(body))
        told.push(`${payload.user_id} ${payload.room_id} ${payload.status}`)
      })
      const one = yield* present(server, "ann", room)
      const two = yield* present(server, "ann", "chat:room:r1", { presence: true })
      one.channel.push("update_status", { status: "away" })
      yield* until(() => told.length === 2)
      one.socket.disconnect()
      yield* until(() => server.endpoint.size() === 1)
      two.socket.disconnect()
      yield* until(() => told.length === 3)
      assert.deepStrictEqual(told, ["ann r1 online", "ann r1 away", "ann r1 offline"])
    }),
  )
})
