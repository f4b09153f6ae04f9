import { assert, describe, it } from "@effect/vitest"
import * as SchemaNumber from "../src/SchemaNumber.ts"

describe("the number of a store's layout", () => {
  it("is 1 where none was written, else what is written among other words", () => {
    for (const [words, number] of [
      [undefined, 1],
      [null, 1],
      ["", 1],
      ["ours, do not delete", 1],
      ["armoricore schema 1", 1],
      ["ours (armoricore schema 12)", 12],
    ] as const) {
      assert.strictEqual(SchemaNumber.numberOf(words), number)
    }
  })

  it("is written beside what an operator wrote, and in the place of an older one", () => {
    assert.strictEqual(SchemaNumber.withNumber(undefined, 1), "armoricore schema 1")
    assert.strictEqual(SchemaNumber.withNumber("ours", 1), "ours (armoricore schema 1)")
    assert.strictEqual(SchemaNumber.withNumber("ours (armoricore schema 1)", 2), "ours (armoricore schema 2)")
    const words = SchemaNumber.withNumber("ours", 3)
    assert.strictEqual(SchemaNumber.withNumber(words, 3), words)
  })

  it("is refused where it is newer, with what to do", () => {
    assert.isUndefined(SchemaNumber.newer("stream X", 1, 1))
    assert.isUndefined(SchemaNumber.newer("stream X", 1, 2))
    assert.strictEqual(
      SchemaNumber.newer("stream X", 2, 1)?.message,
      "The stream X was written by a newer Armoricore (schema 2; this one reads 1): start that version, or restore a backup from before it",
    )
  })
})
