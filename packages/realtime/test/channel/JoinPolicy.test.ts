import type { Identity } from "@armoricore/auth/Identity"
import {
  allow,
  all,
  withinTokenChannels,
  JoinPolicy,
  ownUserTopic,
  defaultPolicy,
} from "@armoricore/realtime/channel/JoinPolicy"
import { unauthorized } from "@armoricore/realtime/channel/ChannelError"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { connect, start } from "../support/TestServer.ts"

const identity = (userId: string, more: Partial<Identity> = {}): Identity => ({
  userId,
  roles: [],
  expiresAt: Number.MAX_SAFE_INTEGER,
  ...more,
})

describe("JoinPolicy", () => {
  it.effect("admits by claim and ownership, guests too", () =>
    Effect.gen(function* () {
      const admits = (policy: JoinPolicy, who: Identity, topic: string) =>
        Effect.map(Effect.exit(policy(who, topic)), Exit.isSuccess)
      const limited = identity("u1", { channels: ["chat:room:a*"] })
      assert.isTrue(yield* admits(withinTokenChannels, limited, "chat:room:abc"))
      assert.isFalse(yield* admits(withinTokenChannels, limited, "chat:room:b"))
      assert.isTrue(yield* admits(ownUserTopic, identity("u1"), "user:u1"))
      assert.isFalse(yield* admits(ownUserTopic, identity("u1", { roles: ["operator"] }), "user:u2"))
      assert.isTrue(yield* admits(defaultPolicy, identity("g", { roles: ["guest"] }), "chat:room:a"))
      assert.isFalse(yield* admits(defaultPolicy, limited, "user:u1"))
      assert.isFalse(
        yield* admits(
          all(defaultPolicy, () => Effect.fail(unauthorized("no"))),
          identity("u"),
          "chat:room:a",
        ),
      )
    }),
  )

  it.live("an installation's own rules hold for every channel", () =>
    Effect.gen(function* () {
      const banned: JoinPolicy = ({ userId }) => (userId === "troll" ? Effect.fail(unauthorized("banned")) : allow)
      const server = yield* start().pipe(Effect.provide(Layer.succeed(JoinPolicy, all(defaultPolicy, banned))))
      const join = Effect.fnUntraced(function* (user: string, topic: string) {
        const client = yield* connect(server, { user })
        client.send("1", "1", topic, "phx_join", {})
        const [, , , , { status, response }] = yield* client.next
        return [status, Object(response).message]
      })
      for (const topic of ["chat:room:a", "comments:stream:a", "presence:room:a", "media:a", "user:troll"]) {
        assert.deepStrictEqual(yield* join("troll", topic), ["error", "banned"])
      }
      assert.strictEqual((yield* join("ann", "chat:room:a"))[0], "ok")
    }),
  )
})
