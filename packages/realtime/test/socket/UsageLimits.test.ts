import { defaults } from "@armoricore/realtime/socket/Limits"
import { UsageLimits, ClientUsage } from "@armoricore/realtime/socket/UsageLimits"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

describe("Party", () => {
  it.effect("gives the burst at once, then the rate, and says when there is more", () =>
    Effect.sync(() => {
      const party = new ClientUsage("u")
      const rate = { perSecond: 10, burst: 3 }
      const taken = [1, 2, 3, 4].map(() => party.consumeMessages(rate, 1000))
      assert.deepStrictEqual(taken, [0, 0, 0, 100])
      assert.strictEqual(party.consumeMessages(rate, 1099), 1)
      assert.strictEqual(party.consumeMessages(rate, 1100), 0)
      assert.strictEqual(party.consumeJoin(rate, 1100), 0)
      assert.deepStrictEqual(
        [1, 2, 3, 4].map(() => party.consumeMessages(rate, 9000)),
        [0, 0, 0, 100],
      )
    }),
  )
})

describe("Parties", () => {
  const parties = () => new UsageLimits({ ...defaults, maxSocketsPerUser: 2, maxSocketsPerAddress: 3 })

  it.effect("hold users and addresses to so many sockets, and give places back", () =>
    Effect.sync(() => {
      const all = parties()
      const first = all.acquire("a", "1")
      all.acquire("a", "1")
      assert.strictEqual(all.acquire("a", "2"), "user")
      all.acquire("b", "1")
      assert.strictEqual(all.acquire("c", "1"), "address")
      if (typeof first !== "string") all.release(first)
      assert.notStrictEqual(all.acquire("a", "2"), "user")
    }),
  )

  it.effect("are forgotten once they are gone and owe nothing", () =>
    Effect.sync(() => {
      const all = parties()
      const lease = all.acquire("a", "1")
      if (typeof lease === "string") return assert.fail(lease)
      lease.user.consumeMessages({ perSecond: 1, burst: 10 }, 1000)
      all.release(lease)
      all.sweep(1500)
      assert.strictEqual(all.size, 1)
      all.sweep(2000)
      assert.strictEqual(all.size, 0)
    }),
  )
})
