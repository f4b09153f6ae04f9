/** A room's items in order, each once, whatever is lost, late or repeated on the way to a node. */
import type { Added, Item } from "@armoricore/history/History"
import { Sequence } from "@armoricore/realtime/cluster/Sequence"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

const body = new Uint8Array()
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
const Step = Schema.Struct({
  action: Schema.Literals(["append", "append", "deliver", "deliver", "repeat", "lose", "swap", "remove", "read"]),
  pick: small,
})

const run = (steps: ReadonlyArray<typeof Step.Type>) => {
  const sequence = new Sequence()
  const history: Array<Item> = []
  /** On their way to this node. */
  const inbox: Array<Added> = []
  const told: Array<number> = []
  const removed = new Set<number>()
  let last = 0
  const tell = (items: ReadonlyArray<Item>) => told.push(...items.map(({ seq }) => seq))
  const read = () => {
    const upTo = sequence.highestHeld
    tell(
      sequence.fill(
        history.filter(({ seq }) => seq > (sequence.last ?? 0)),
        upTo,
      ),
    )
  }
  tell(sequence.begin(0))
  for (const { action, pick } of steps) {
    const index = pick % Math.max(1, inbox.length)
    const added = inbox[index]
    switch (action) {
      case "append": {
        // Numbers have gaps, as those of a stream that many rooms share.
        const item = { seq: last + 1 + (pick % 3), id: `i${last}`, body }
        inbox.push({ item, previous: last })
        history.push(item)
        last = item.seq
        break
      }
      case "deliver":
        if (added !== undefined) tell(sequence.add(added))
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
  for (const added of inbox) tell(sequence.add(added))
  read()
  assert.isFalse(sequence.isBehind)
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
    const sequence = new Sequence()
    const item = (seq: number): Item => ({ seq, id: `i${seq}`, body })
    assert.deepStrictEqual(sequence.add({ item: item(7), previous: 5 }), [])
    assert.deepStrictEqual(sequence.begin(5), [item(7)])
    assert.deepStrictEqual(sequence.add({ item: item(12), previous: 9 }), [])
    assert.isTrue(sequence.isBehind)
    assert.deepStrictEqual(sequence.add({ item: item(9), previous: 7 }), [item(9), item(12)])
    assert.isFalse(sequence.isBehind)
    assert.deepStrictEqual(sequence.add({ item: item(9), previous: 7 }), [])
  })
})
