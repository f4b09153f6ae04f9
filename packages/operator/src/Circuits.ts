/** The circuits of all processes put together: each is shown as its worst process has it. */
import { ControlPlane, type Gathered } from "@armoricore/worker/ControlPlane"
import { Switchboard } from "@armoricore/worker/Switchboard"
import { Effect } from "effect"
import type { Circuit, OwnCircuit } from "./api/Circuit.ts"
import * as NodeAnswers from "./NodeAnswers.ts"

type Own = typeof OwnCircuit.Type

/** From harmless to worst. */
const ranks = ["closed", "probing", "open", "waiting"] as const

export const worstOf = (
  answers: Gathered<ReadonlyArray<Own>>["answers"],
): ReadonlyMap<string, Own & { readonly nodes: ReadonlyArray<string> }> => {
  const circuits = new Map<string, Own & { readonly nodes: ReadonlyArray<string> }>()
  for (const { node, value } of answers) {
    for (const own of value) {
      const known = circuits.get(own.name)
      if (known === undefined) circuits.set(own.name, { ...own, nodes: [node] })
      else {
        const worse = ranks.indexOf(own.status) > ranks.indexOf(known.status) ? own : known
        circuits.set(own.name, { ...worse, nodes: [...known.nodes, node] })
      }
    }
  }
  return circuits
}

/** Also what is paused and not known to any process that runs. */
export const list = Effect.gen(function* () {
  const plane = yield* ControlPlane
  const board = yield* Switchboard
  const { answers, silent } = yield* plane.ask(NodeAnswers.circuits, undefined)
  const circuits = new Map<string, Circuit>(worstOf(answers))
  for (const { by, name, reason, since } of board.pauses()) {
    const known = circuits.get(name) ?? { name, status: "closed", failures: 0, nodes: [] }
    circuits.set(name, { ...known, paused: { by, reason, since } })
  }
  return { circuits: [...circuits.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), silent }
})
