/** Which runs there are. */
import { crashPoints, type Mutant } from "./Faults.ts"
import type { Plan } from "./Run.ts"

const base = { workers: 3, publishers: 2, events: 80, crash: 0.02 } as const

/** About a minute and a half. */
export const short = (seed: number): ReadonlyArray<Plan> => [
  { ...base, seed, bus: "nats", faults: 7 },
  { ...base, seed, bus: "nats-cluster", events: 40, faults: 3, brokerOnly: true },
  { ...base, seed, bus: "embedded", events: 40, faults: 3 },
]

/** Every crash point by itself, and more of everything. */
export const long = (seed: number, rounds: number): ReadonlyArray<Plan> =>
  Array.from({ length: rounds }, (_, round) => [
    { ...base, seed: seed + round, bus: "nats" as const, events: 600, faults: 20 },
    { ...base, seed: seed + round, bus: "nats-cluster" as const, events: 300, faults: 12 },
    { ...base, seed: seed + round, bus: "embedded" as const, events: 300, faults: 8 },
    ...diskPlans(seed + round),
    ...crashPoints.map((crashAt): Plan => ({
      ...base,
      seed: seed + round,
      bus: "nats",
      faults: 0,
      crash: 0.1,
      crashAt,
    })),
  ]).flat()

/** Where the machine allows such a disk. */
export const diskPlans = (seed: number): ReadonlyArray<Plan> => [
  { ...base, seed, bus: "nats", disk: true, faults: 8 },
  { ...base, seed, bus: "embedded", disk: true, faults: 4 },
]

const small = { seed: 0, bus: "nats", workers: 2, publishers: 1, events: 40, faults: 0, crash: 0 } as const

/** Each mutant where its fault shows. */
export const mutantPlans = (seed: number): ReadonlyArray<Plan & { readonly mutant: Mutant }> => [
  { ...small, seed, mutant: "ack-before-effect", crash: 0.1, crashAt: "before-effect" },
  { ...small, seed, mutant: "random-result-id", crash: 0.1, crashAt: "after-result" },
  { ...small, seed, mutant: "no-claim", crash: 0.1, crashAt: "before-ack" },
  { ...small, seed, mutant: "prefetch" },
]
