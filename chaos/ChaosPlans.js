/** Which runs there are. */
import { crashPoints } from "./FaultInjection.ts";
const defaults = { workers: 3, publishers: 2, events: 80, crash: 0.02 };
/** About two minutes. */
export const shortPlans = (seed) => [
    { ...defaults, seed, bus: "nats", faults: 7 },
    { ...defaults, seed, bus: "nats-cluster", events: 40, faults: 3, brokerFaultsOnly: true },
    { ...defaults, seed, bus: "rabbitmq", events: 40, faults: 3 },
    { ...defaults, seed, bus: "embedded", events: 40, faults: 3 },
];
/** Every crash point by itself, and more of everything. */
export const longPlans = (seed, rounds) => Array.from({ length: rounds }, (_, round) => [
    { ...defaults, seed: seed + round, bus: "nats", events: 600, faults: 20 },
    { ...defaults, seed: seed + round, bus: "nats-cluster", events: 300, faults: 12 },
    { ...defaults, seed: seed + round, bus: "rabbitmq", events: 300, faults: 10 },
    { ...defaults, seed: seed + round, bus: "embedded", events: 300, faults: 8 },
    ...diskPlans(seed + round),
    ...crashPoints.map((crashAt) => ({
        ...defaults,
        seed: seed + round,
        bus: "nats",
        faults: 0,
        crash: 0.1,
        crashAt,
    })),
]).flat();
/** Where the machine allows such a disk. */
export const diskPlans = (seed) => [
    { ...defaults, seed, bus: "nats", disk: true, faults: 8 },
    { ...defaults, seed, bus: "embedded", disk: true, faults: 4 },
];
const mutantDefaults = { seed: 0, bus: "nats", workers: 2, publishers: 1, events: 40, faults: 0, crash: 0 };
/** Each mutant where its fault shows. */
export const mutantPlans = (seed) => [
    { ...mutantDefaults, seed, mutant: "ack-before-effect", crash: 0.1, crashAt: "before-effect" },
    { ...mutantDefaults, seed, mutant: "random-result-id", crash: 0.1, crashAt: "after-result" },
    { ...mutantDefaults, seed, mutant: "no-claim", crash: 0.1, crashAt: "before-ack" },
    { ...mutantDefaults, seed, mutant: "prefetch" },
];
