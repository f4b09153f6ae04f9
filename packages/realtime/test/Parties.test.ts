import { defaults } from "@armoricore/realtime/Limits"
import { Parties, Party } from "@armoricore/realtime/Parties"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

describe("Party", () => {
  it.effect("gives the burst at once, then the rate, and says when there is more", () =>
    Effect.sync(() => {
      const party = new Party("u")
      const rate = { perSecond: 10, burst: 3 }
      const taken = [1, 2, 3, 4].map(() => party.message(rate, 1000))
      assert.deepStrictEqual(taken, [0, 0, 0, 100])
      assert.strictEqual(party.message(rate, 1099), 1)
      assert.strictEqual(party.message(rate, 1100), 0)
      assert.strictEqual(party.join(rate, 1100), 0)
      assert.deepStrictEqual(
        [1, 2, 3, 4].map(() => party.message(rate, 9000)),
        [0, 0, 0, 100],
      )
    }),
  )
})

describe("Parties", () => {
  const parties = () => new Parties({ ...defaults, maxSocketsPerUser: 2, maxSocketsPerAddress: 3 })

  it.effect("hold users and addresses to so many sockets, and give places back", () =>
    Effect.sync(() => {
      const all = parties()
      const first = all.enter("a", "1")
      all.enter("a", "1")
      assert.strictEqual(all.enter("a", "2"), "user")
      all.enter("b", "1")
      assert.strictEqual(all.enter("c", "1"), "address")
      if (typeof first !== "string") all.leave(first)
      assert.notStrictEqual(all.enter("a", "2"), "user")
    }),
  )

  it.effect("are forgotten once they are gone and owe nothing", () =>
    Effect.sync(() => {
      const all = parties()
      const place = all.enter("a", "1")
      if (typeof place === "string") return assert.fail(place)
      place.user.message({ perSecond: 1, burst: 10 }, 1000)
      all.leave(place)
      all.sweep(1500)
      assert.strictEqual(all.size, 1)
      all.sweep(2000)
      assert.strictEqual(all.size, 0)
    }),
  )
})
