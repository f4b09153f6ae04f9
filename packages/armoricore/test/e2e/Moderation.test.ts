/** What moderation takes away is gone for everybody: the running program, and clients as they are in people's hands. */
import { channel } from "@armoricore/realtime/client"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Socket } from "phoenix"
import { until } from "../support/ApiClient.ts"
import { type Env, start, tokenFor } from "../support/ProgramFixture.ts"
import { temporaryDirectory } from "../support/ProgramProcess.ts"

const users = ["ann", "bob", "cyd"] as const

const connect = Effect.fnUntraced(function* (
  env: Env,
  url: string,
  user: string,
): Effect.fn.Return<Socket, never, Scope.Scope> {
  const params = { token: yield* tokenFor(env, "--user", user) }
  return yield* Effect.acquireRelease(
    Effect.sync(() => {
      const socket = new Socket(`${url.replace(/^http/, "ws")}/socket`, { params, transport: WebSocket })
      socket.connect()
      return socket
    }),
    (socket) => Effect.sync(() => socket.disconnect()),
  )
})

/** The program with a forbidden word, and a socket of each user. */
const gathering = Effect.gen(function* () {
  const env = { ARMORICORE_DATA_DIR: yield* temporaryDirectory, MODERATION_WORDS: "badword" }
  const { url } = yield* start(env)
  const sockets = yield* Effect.forEach(users, (user) => connect(env, url, user), { concurrency: "unbounded" })
  return { sockets, late: connect(env, url, "dan") }
})

/** Every one of them has heard this. */
const allHear = (heard: ReadonlyArray<ReadonlyArray<string>>, line: string) =>
  until(
    Effect.sync(() => heard),
    (all) => all.length === users.length && all.every((lines) => lines.includes(line)),
  )

describe("a forbidden word", () => {
  it.live(
    "in chat vanishes on three sockets and from the history",
    () =>
      Effect.gen(function* () {
        const { late, sockets } = yield* gathering
        const heard: Array<Array<string>> = []
        const rooms = yield* Effect.forEach(sockets, (socket) =>
          Effect.promise(async () => {
            const lines: Array<string> = []
            heard.push(lines)
            const room = channel(socket, "chat:room:x", {})
            room.on("new_message", ({ id }) => lines.push(`new ${id}`))
            room.on("message_removed", ({ id, reason }) => lines.push(`removed ${id} ${reason}`))
            await room.join()
            return room
          }),
        )
        const post = (who: number, content: string) =>
          Effect.promise(async () => rooms[who]?.push("new_message", { content }))
        const bad = yield* post(0, "such a badword, you all")
        const kept = yield* post(1, "good morning")
        yield* allHear(heard, `removed ${bad?.id} word`)
        yield* allHear(heard, `new ${kept?.id}`)
        for (const lines of heard) {
          assert.sameMembers(lines, [`new ${bad?.id}`, `removed ${bad?.id} word`, `new ${kept?.id}`])
        }
        const latecomer = yield* late
        const { messages } = yield* Effect.promise(() => channel(latecomer, "chat:room:x", { last: 50 }).join())
        assert.deepStrictEqual(
          messages.map(({ id }) => id),
          [kept?.id],
        )
      }),
    90_000,
  )

  it.live(
    "in a comment vanishes on three sockets and from the history",
    () =>
      Effect.gen(function* () {
        const { late, sockets } = yield* gathering
        const heard: Array<Array<string>> = []
        const streams = yield* Effect.forEach(sockets, (socket) =>
          Effect.promise(async () => {
            const lines: Array<string> = []
            heard.push(lines)
            const stream = channel(socket, "comments:stream:x", {})
            stream.on("new_comment", ({ id }) => lines.push(`new ${id}`))
            stream.on("comment_removed", ({ id, reason }) => lines.push(`removed ${id} ${reason}`))
            await stream.join()
            return stream
          }),
        )
        // Two people, since one may comment once a second.
        const post = (who: number, content: string) =>
          Effect.promise(async () => streams[who]?.push("new_comment", { content }))
        const bad = yield* post(0, "what a B4DWORD")
        const kept = yield* post(1, "what a sea")
        yield* allHear(heard, `removed ${bad?.id} word`)
        yield* allHear(heard, `new ${kept?.id}`)
        for (const lines of heard) {
          assert.sameMembers(lines, [`new ${bad?.id}`, `removed ${bad?.id} word`, `new ${kept?.id}`])
        }
        const latecomer = yield* late
        const { comments } = yield* Effect.promise(() => channel(latecomer, "comments:stream:x", { last: 50 }).join())
        assert.deepStrictEqual(
          comments.map(({ id }) => id),
          [kept?.id],
        )
      }),
    90_000,
  )
})
