/** Replicas of presence against a model: whatever is lost, late or repeated on the way, snapshots bring them together. */
import { combine, type Delta, type Entry, PresenceSet } from "@armoricore/realtime/presence/PresenceSet"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

const nodes = 4
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
const Step = Schema.Struct({
  node: small,
  action: Schema.Literals([
    "join",
    "join",
    "leave",
    "update",
    "deliver",
    "repeat",
    "lose",
    "shuffle",
    "crash",
    "mend",
    "flush",
  ]),
  pick: small,
})

/** A node that may die; its successor has another name. */
interface Node {
  readonly set: PresenceSet
  /** What the model says is present here. */
  entries: Array<Entry>
  /** Gathered, and not told yet. */
  outgoing: Array<Delta>
  /** Deltas on their way to this node. */
  inbox: Array<Delta>
}

/** What a client would have made of joins and leaves alone. */
const watched = () => {
  const refs = new Set<string>()
  const seen = { refs, faults: 0 }
  return {
    seen,
    onChange: (kind: "join" | "leave", { meta }: Entry) => {
      if (kind === "join" ? refs.has(meta.phx_ref) : !refs.delete(meta.phx_ref)) seen.faults++
      if (kind === "join") refs.add(meta.phx_ref)
    },
  }
}

const view = (set: PresenceSet): ReadonlyArray<string> =>
  ["a", "b"]
    .flatMap((topic) =>
      [...set.users(topic)].flatMap(([key, metas]) =>
        metas.map(({ phx_ref, status }) => `${topic} ${key} ${phx_ref} ${status}`),
      ),
    )
    .sort()

const modelOf = (all: ReadonlyArray<Node>): ReadonlyArray<string> =>
  all
    .flatMap(({ entries }) => entries)
    .map(({ topic, key, meta }) => `${topic} ${key} ${meta.phx_ref} ${meta.status}`)
    .sort()

const online_at = "2026-01-31T12:00:00Z"

const run = (steps: ReadonlyArray<typeof Step.Type>) => {
  let born = 0
  const watchers = new Map<PresenceSet, ReturnType<typeof watched>["seen"]>()
  const bear = (): Node => {
    const { seen, onChange } = watched()
    const set = new PresenceSet(`n${born++}`, onChange)
    watchers.set(set, seen)
    return { set, entries: [], outgoing: [], inbox: [] }
  }
  const all = Array.from({ length: nodes }, bear)
  const at = <A>(list: ReadonlyArray<A>, index: number): A | undefined => list[index % Math.max(1, list.length)]
  const flush = (from: Node) => {
    const delta = combine(from.outgoing.splice(0))
    if (delta !== undefined) for (const other of all) if (other !== from) other.inbox.push(delta)
  }
  /** Every third change goes out at once with what was gathered before it. */
  const send = (from: Node, delta: Delta) => {
    from.outgoing.push(delta)
    if (delta.to % 3 === 0) flush(from)
  }

  for (const { node: index, action, pick } of steps) {
    const node = at(all, index)
    if (node === undefined) continue
    const entry = at(node.entries, pick)
    const others = node.entries.filter((candidate) => candidate !== entry)
    switch (action) {
      case "join": {
        const added = node.set.add(pick % 2 === 0 ? "a" : "b", `u${pick % 3}`, { status: "online", online_at })
        node.entries.push(added.entry)
        send(node, added.delta)
        break
      }
      case "leave":
        if (entry === undefined) break
        node.entries = others
        send(node, node.set.remove(entry))
        break
      case "update": {
        if (entry === undefined) break
        const replaced = node.set.replace(entry, pick % 2 === 0 ? "away" : "online")
        assert.strictEqual(replaced.entry.meta.phx_ref_prev, entry.meta.phx_ref)
        node.entries = [...others, replaced.entry]
        send(node, replaced.delta)
        break
      }
      case "deliver":
        for (const delta of node.inbox.splice(0, 1 + (pick % 3))) node.set.merge(delta)
        break
      case "repeat": {
        const delta = at(node.inbox, pick)
        if (delta !== undefined) node.inbox.push(delta)
        break
      }
      case "lose":
        node.inbox.splice(pick % (node.inbox.length + 1), 1)
        break
      case "shuffle":
        node.inbox.sort((a, b) => ((a.to * 7919 + pick) % 13) - ((b.to * 7919 + pick) % 13))
        break
      case "crash":
        all.splice(all.indexOf(node), 1, bear())
        for (const other of all) other.set.drop(node.set.node)
        break
      case "flush":
        flush(node)
        break
      case "mend": {
        const other = at(all, pick)
        if (other !== undefined) node.set.restore(other.set.snapshot())
        break
      }
    }
  }

  const alive = new Set(all.map(({ set }) => set.node))
  for (const node of all) {
    for (const delta of node.inbox) node.set.merge(delta)
    for (let gone = 0; gone < born; gone++) if (!alive.has(`n${gone}`)) node.set.drop(`n${gone}`)
    for (const other of all) node.set.restore(other.set.snapshot())
  }
  for (const { set } of all) {
    assert.deepStrictEqual(view(set), modelOf(all))
    // What was told as joins and leaves, each once, is what is there.
    assert.deepStrictEqual(
      [watchers.get(set)?.faults, [...(watchers.get(set)?.refs ?? [])].sort()],
      [
        0,
        view(set)
          .map((line) => line.split(" ")[2] ?? "")
          .sort(),
      ],
    )
  }
}

describe("PresenceSet", () => {
  it.effect.prop(
    "replicas agree with the model after any history",
    [Schema.Array(Step).check(Schema.isMaxLength(120))],
    ([steps]) => Effect.sync(() => run(steps)),
  )

  it.effect.prop(
    "deltas that were gathered say what they said one by one, and nothing of who came and went in between",
    [Schema.Array(Step).check(Schema.isMaxLength(60))],
    ([steps]) =>
      Effect.sync(() => {
        const source = new PresenceSet("a")
        const { seen, onChange } = watched()
        const [single, gathered] = [new PresenceSet("b"), new PresenceSet("c", onChange)]
        let entries: Array<Entry> = []
        let waiting: Array<Delta> = []
        const flush = () => {
          const delta = combine(waiting)
          waiting = []
          if (delta === undefined) return
          const refs = new Set(delta.joins.map(({ meta }) => meta.phx_ref))
          assert.isFalse(delta.leaves.some(({ meta }) => refs.has(meta.phx_ref)))
          assert.strictEqual(gathered.merge(delta), "merged")
          assert.deepStrictEqual(view(gathered), view(source))
        }
        const note = (delta: Delta) => {
          waiting.push(delta)
          assert.strictEqual(single.merge(delta), "merged")
        }
        for (const { action, pick } of steps) {
          const entry = entries[pick % Math.max(1, entries.length)]
          if (action === "join" || entry === undefined) {
            const added = source.add(pick % 2 === 0 ? "a" : "b", `u${pick % 3}`, { status: "online", online_at })
            entries.push(added.entry)
            note(added.delta)
          } else if (action === "leave") {
            entries = entries.filter((other) => other !== entry)
            note(source.remove(entry))
          } else if (action === "update") {
            const replaced = source.replace(entry, pick % 2 === 0 ? "away" : "online")
            entries = [...entries.filter((other) => other !== entry), replaced.entry]
            note(replaced.delta)
          } else if (action === "flush") flush()
        }
        flush()
        assert.deepStrictEqual(view(single), view(source))
        assert.strictEqual(seen.faults, 0)
      }),
  )

  it("says when it missed something, and takes nothing twice", () => {
    const a = new PresenceSet("a")
    const b = new PresenceSet("b")
    const first = a.add("t", "u", { status: "online", online_at })
    const second = a.replace(first.entry, "away")
    assert.strictEqual(b.merge(second.delta), "gap")
    assert.strictEqual(b.merge(first.delta), "merged")
    assert.strictEqual(b.merge(second.delta), "merged")
    assert.strictEqual(b.merge(first.delta), "known")
    assert.strictEqual(b.restore(a.snapshot()), "known")
    assert.deepStrictEqual(b.users("t"), a.users("t"))
    b.drop("a")
    assert.strictEqual(b.users("t").size, 0)
    assert.strictEqual(b.merge(a.remove(second.entry)), "gap")
    assert.strictEqual(b.restore(a.snapshot()), "merged")
    assert.strictEqual(b.users("t").size, 0)
  })
})
