/** A room's items in order, each once, whatever is lost, late or repeated on the way to a node. */
import type { AppendNotification, HistoryItem } from "@armoricore/history/History"
import { ReorderBuffer } from "@armoricore/realtime/rooms/ReorderBuffer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

const body = new Uint8Array()
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
const Step = Schema.Struct({
  action: Schema.Literals(["append", "append", "deliver", "deliver", "repeat", "lose", "swap", "remove", "read"]),
  pick: small,
})

const run = (steps: ReadonlyArray<typeof Step.Type>) => {
  const sequence = new ReorderBuffer()
  const history: Array<HistoryItem> = []
  /** On their way to this node. */
  const inbox: Array<AppendNotification> = []
  const told: Array<number> = []
  const removed = new Set<number>()
  let last = 0
  const tell = (items: ReadonlyArray<HistoryItem>) => told.push(...items.map(({ seq }) => seq))
  const read = () => {
    const upTo = sequence.highestBuffered
    tell(
      sequence.backfill(
        history.filter(({ seq }) => seq > (sequence.lastSeq ?? 0)),
        upTo,
      ),
    )
  }
  tell(sequence.start(0))
  for (const { action, pick } of steps) {
    const index = pick % Math.max(1, inbox.length)
    const added = inbox[index]
    switch (action) {
      case "append": {
        // Numbers have gaps, as those of a stream that many rooms share.
        const item = { seq: last + 1 + (pick % 3), id: `i${last}`, body }
        inbox.push({ item, previousSeq: last })
        history.push(item)
        last = item.seq
        break
      }
      case "deliver":
        if (added !== undefined) tell(sequence.push(added))
        inbox.splice(index, 1)
        break
      case "repeat":
        if (added !== undefined) inbox.push(added)
        break
      case "lose":
        inbox.splice(index, 1)
        break
      case "swap":
        inbox.reverse()
        break
      case "remove": {
        const [gone] = history.splice(pick % Math.max(1, history.length), 1)
        if (gone !== undefined) removed.add(gone.seq)
        break
      }
      case "read":
        read()
        break
    }
  }
  for (const added of inbox) tell(sequence.push(added))
  read()
  assert.isFalse(sequence.hasGap)
  assert.deepStrictEqual(
    told,
    [...new Set(told)].sort((a, b) => a - b),
  )
  for (const { seq } of history) assert.include(told, seq)
  for (const seq of told) assert.isTrue(removed.has(seq) || history.some((item) => item.seq === seq))
}

describe("Sequence", () => {
  it.effect.prop(
    "lets everything through once and in order, after any history",
    [Schema.Array(Step).check(Schema.isMaxLength(80))],
    ([steps]) => Effect.sync(() => run(steps)),
  )

  it("holds what came early until what was before it is there, and before it knows where to begin", () => {
    const sequence = new ReorderBuffer()
    const item = (seq: number): HistoryItem => ({ seq, id: `i${seq}`, body })
    assert.deepStrictEqual(sequence.push({ item: item(7), previousSeq: 5 }), [])
    assert.deepStrictEqual(sequence.start(5), [item(7)])
    assert.deepStrictEqual(sequence.push({ item: item(12), previousSeq: 9 }), [])
    assert.isTrue(sequence.hasGap)
    assert.deepStrictEqual(sequence.push({ item: item(9), previousSeq: 7 }), [item(9), item(12)])
    assert.isFalse(sequence.hasGap)
    assert.deepStrictEqual(sequence.push({ item: item(9), previousSeq: 7 }), [])
  })
})
