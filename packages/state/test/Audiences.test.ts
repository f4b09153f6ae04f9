import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { Audiences } from "@armoricore/state/Audiences"
import { chunkKeyOf, memberIdOf, memberPlaceOf } from "@armoricore/domain/AudienceChunk"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"

describe("audiences", () => {
  it.effect("add, list in pages, and remove members, each once", () =>
    Effect.gen(function* () {
      const audiences = yield* Audiences
      const all = Array.from({ length: 250 }, (_, index) => `auth0|${index}`)
      assert.strictEqual(yield* audiences.add("fans", all), 250)
      assert.strictEqual(yield* audiences.add("fans", ["auth0|7", "new"]), 1)
      yield* audiences.add("fans-2", ["other"])
      const listed: Array<string> = []
      let after: string | undefined
      do {
        const page = yield* audiences.list("fans", 100, after)
        listed.push(...page.user_ids)
        after = page.next
      } while (after !== undefined)
      assert.strictEqual(listed.length, 251)
      assert.sameMembers(listed, [...all, "new"])
      assert.strictEqual(yield* audiences.has("fans", "auth0|7"), true)
      assert.strictEqual(yield* audiences.remove("fans", ["auth0|7", "unknown"]), 1)
      assert.strictEqual(yield* audiences.has("fans", "auth0|7"), false)
      yield* audiences.add("fans", ["other"])
      assert.strictEqual(yield* audiences.forget("other"), 2)
      assert.deepStrictEqual(yield* audiences.list("fans-2", 10), { user_ids: [] })
    }).pipe(Effect.provide(Layer.provide(Audiences.layer, MemoryState.layer))),
  )

  it("name the place of a member's notification in its id, up to the last chunk and index", () => {
    for (const [chunk, index] of [
      [0, 0],
      [1_023, 499],
      [1_024, 7],
      [4_194_303, 4_095],
    ] as const) {
      const id = memberIdOf("send-1", chunk, index)
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.deepStrictEqual(memberPlaceOf(id), { key: chunkKeyOf("send-1", chunk), chunk, index })
    }
    assert.notStrictEqual(memberIdOf("send-1", 4, 2), memberIdOf("send-2", 4, 2))
    assert.strictEqual(memberPlaceOf("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"), undefined)
  })
})
