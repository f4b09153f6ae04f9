import { admitsTopic } from "@armoricore/auth/Identity"
import { assert, it } from "@effect/vitest"

const limitedTo = (...channels: ReadonlyArray<string>) => ({ userId: "u", roles: [], channels, expiresAt: 0 })

it("a token without channels admits every topic, one with an empty list none", () => {
  assert.isTrue(admitsTopic({ userId: "u", roles: [], expiresAt: 0 }, "chat:room:1"))
  assert.isFalse(admitsTopic(limitedTo(), "chat:room:1"))
})

it("a star stands for any text, at the end or between", () => {
  assert.isTrue(admitsTopic(limitedTo("chat:room:*"), "chat:room:1"))
  assert.isFalse(admitsTopic(limitedTo("chat:room:*"), "chat:other:1"))
  assert.isTrue(admitsTopic(limitedTo("*:room:7"), "chat:room:7"))
  assert.isTrue(admitsTopic(limitedTo("chat:*:a*z"), "chat:room:abz"))
  assert.isFalse(admitsTopic(limitedTo("chat:*:a*z"), "chat:room:ab"))
  assert.isFalse(admitsTopic(limitedTo("ab*ba"), "aba"))
  assert.isTrue(admitsTopic(limitedTo("x", "media:1"), "media:1"))
  assert.isFalse(admitsTopic(limitedTo("media:1"), "media:12"))
})
