import type { NotificationState } from "@armoricore/domain/NotificationState"
import { assert, describe, it } from "@effect/vitest"
import * as Recent from "../src/Recent.ts"

const document = (key: string, revision: number, text: string): Recent.Document => ({
  key,
  revision,
  value: {
    notification_id: key,
    user_id: "u",
    notification_type: "email",
    status: "pending",
    cause: key,
    content: { title: "", text, data: {} },
    deliveries: [],
    requested_at: 0,
    updated_at: "",
  } satisfies NotificationState,
})

describe("documents that were written last", () => {
  it("are as many as may be, the oldest go", () => {
    const recent = Recent.make({ most: 2, mostText: 1_000 })
    for (const [revision, key] of ["a", "b", "a", "c"].entries()) recent.keep(document(key, revision, ""))
    assert.isUndefined(recent.get("b"))
    assert.strictEqual(recent.get("a")?.revision, 2)
    assert.strictEqual(recent.get("c")?.revision, 3)
    recent.drop("a")
    assert.isUndefined(recent.get("a"))
  })

  it("regression: two thousand newsletters filled the memory", () => {
    const recent = Recent.make({ most: 2_000, mostText: 1_000_000 })
    const keys = Array.from({ length: 100 }, (_, index) => `n${index}`)
    const kept = () => keys.filter((key) => recent.get(key) !== undefined).length
    for (const [revision, key] of keys.entries()) recent.keep(document(key, revision, "x".repeat(100_000)))
    assert.isAtMost(kept(), 10)
    assert.isAtLeast(kept(), 9)
    // Written again and again it counts once, and makes room when it goes.
    for (let revision = 0; revision < 50; revision++) recent.keep(document("n99", revision, "x".repeat(100_000)))
    assert.isAtLeast(kept(), 9)
    recent.keep(document("huge", 1, "x".repeat(2_000_000)))
    assert.isUndefined(recent.get("huge"))
    recent.keep(document("n1", 1, "small"))
    assert.strictEqual(recent.get("n1")?.revision, 1)
  })
})
