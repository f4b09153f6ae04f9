import type { NotificationState } from "@armoricore/domain/NotificationState"
import { assert, describe, it } from "@effect/vitest"
import * as DocumentCache from "../../src/request/DocumentCache.ts"

const document = (key: string, revision: number, text: string): DocumentCache.Document => ({
  key,
  revision,
  value: {
    notification_id: key,
    user_id: "u",
    notification_type: "email",
    status: "pending",
    source_event_id: key,
    content: { title: "", text, data: {} },
    deliveries: [],
    requested_at: 0,
    updated_at: "",
  } satisfies NotificationState,
})

describe("documents that were written last", () => {
  it("are as many as may be, the oldest go", () => {
    const recent = DocumentCache.make({ maxEntries: 2, maxCharacters: 1_000 })
    for (const [revision, key] of ["a", "b", "a", "c"].entries()) recent.put(document(key, revision, ""))
    assert.isUndefined(recent.get("b"))
    assert.strictEqual(recent.get("a")?.revision, 2)
    assert.strictEqual(recent.get("c")?.revision, 3)
    recent.remove("a")
    assert.isUndefined(recent.get("a"))
  })

  it("regression: two thousand newsletters filled the memory", () => {
    const recent = DocumentCache.make({ maxEntries: 2_000, maxCharacters: 1_000_000 })
    const keys = Array.from({ length: 100 }, (_, index) => `n${index}`)
    const kept = () => keys.filter((key) => recent.get(key) !== undefined).length
    for (const [revision, key] of keys.entries()) recent.put(document(key, revision, "x".repeat(100_000)))
    assert.isAtMost(kept(), 10)
    assert.isAtLeast(kept(), 9)
    // Written again and again it counts once, and makes room when it goes.
    for (let revision = 0; revision < 50; revision++) recent.put(document("n99", revision, "x".repeat(100_000)))
    assert.isAtLeast(kept(), 9)
    recent.put(document("huge", 1, "x".repeat(2_000_000)))
    assert.isUndefined(recent.get("huge"))
    recent.put(document("n1", 1, "small"))
    assert.strictEqual(recent.get("n1")?.revision, 1)
  })
})
