/** The short form of `npm run chaos`, and a run of every mutant: each deliberate fault must lead to a violation. */
import { spawnSync } from "node:child_process";
import { KeyValue } from "@armoricore/state/KeyValue";
import * as Programs from "@armoricore/testing/Programs";
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Logger } from "effect";
import * as Broker from "../chaos/Broker.ts";
import * as ManagedProcess from "../chaos/ManagedProcess.ts";
import { lease } from "../chaos/FaultInjection.ts";
import { mutantPlans, shortPlans } from "../chaos/ChaosPlans.ts";
import { violations } from "../chaos/Report.ts";
import { run } from "../chaos/ChaosRun.ts";
import { adaptersFor, environmentOf } from "../chaos/Adapters.ts";
/** Polls a condition that emits no event. */
const waitUntil = (condition) => Effect.sync(condition).pipe(Effect.tap((met) => (met ? Effect.void : Effect.sleep("5 millis"))), Effect.repeat({ until: (met) => met }), Effect.timeout("20 seconds"));
const nats = Programs.requireProgram("nats-server");
const hasRabbit = ["rabbitmq-server", "postgres"].every((name) => !Programs.requireProgram(name).missing);
const seed = Number(process.env["CHAOS_SEED"] ?? 20_261);
it("an unknown plan is refused with the list of plans", () => {
    const args = ["chaos/main.ts", "--only", "kafka"];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.strictEqual(status, 2);
    assert.strictEqual(stderr, "chaos: there is no plan kafka; the plans are nats, nats-cluster, rabbitmq, embedded\n");
});
describe.skipIf(nats.missing)("crashes of workers and brokers", () => {
    for (const plan of shortPlans(seed)) {
        it.live.skipIf(plan.bus === "rabbitmq" && !hasRabbit)(`lose no event and duplicate no effect or result: ${plan.bus}`, () => Effect.gen(function* () {
            const report = yield* run(plan);
            assert.deepStrictEqual(violations(report), [], JSON.stringify(report));
            assert.strictEqual(report.acknowledged, plan.publishers * plan.events);
        }).pipe(Effect.provide(Logger.layer([]))), 180_000);
    }
    it.live("three processes share the work and, without faults, handle each event once", () => Effect.gen(function* () {
        const calm = { seed, bus: "nats", workers: 3, publishers: 1, events: 60, faults: 0, crash: 0 };
        const report = yield* run(calm);
        assert.deepStrictEqual(violations(report), [], JSON.stringify(report));
        assert.deepStrictEqual([report.repeatedEffects, report.fencedEffects], [0, 0]);
    }).pipe(Effect.provide(Logger.layer([]))), 120_000);
    it.live("the messages of a killed process reach another process once, within the lease", () => Effect.gen(function* () {
        const broker = yield* Broker.make("nats", false);
        yield* Effect.flatMap(KeyValue, (state) => state.setup([ledgerBucket])).pipe(Effect.provide(adaptersFor(broker.direct, broker.folder, broker.replicas)));
        const sink = yield* ManagedProcess.start("sink.ts", {});
        const environment = {
            ...environmentOf(broker.direct),
            CHAOS_SINK: yield* sink.waitForLine("http"),
            CHAOS_WORK_MILLIS: "1000",
        };
        const workers = yield* Effect.forEach([1, 2, 3], () => ManagedProcess.start("worker.ts", environment));
        yield* Effect.forEach(workers, (worker) => worker.waitForLine("ready"), { concurrency: "unbounded" });
        yield* ManagedProcess.start("publisher.ts", { ...environment, CHAOS_NAME: "p", CHAOS_EVENTS: "24" });
        const deliveriesOf = (worker) => worker.lines.filter((line) => line.startsWith("got "));
        const [victim, ...others] = workers;
        assert.isDefined(victim);
        yield* waitUntil(() => workers.every((worker) => deliveriesOf(worker).length >= 4));
        yield* victim.signal("SIGKILL");
        yield* victim.exited;
        const killedAt = Date.now();
        const orphans = deliveriesOf(victim).map((line) => line.slice("got ".length));
        const { effects } = yield* Effect.tryPromise(() => fetch(environment.CHAOS_SINK).then((response) => response.json())).pipe(Effect.tap((seen) => (seen.effects.length < 24 ? Effect.sleep("50 millis") : Effect.void)), Effect.repeat({ until: (seen) => seen.effects.length >= 24 }), Effect.timeout("30 seconds"));
        assert.strictEqual(new Set(effects.map(({ id }) => id)).size, 24);
        assert.strictEqual(effects.length, 24);
        for (const { at, id } of effects.filter(({ id }) => orphans.includes(id))) {
            // The bus redelivers after one lease; the ledger lease may have been renewed later; the work takes a second.
            assert.isBelow(at - killedAt, 2 * Duration.toMillis(lease) + 1_000 + 2_000, id);
        }
        assert.isTrue(others.every((worker) => deliveriesOf(worker).length > 4));
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))), 60_000);
    for (const plan of mutantPlans(seed)) {
        it.live(`a faulty worker causes a violation: ${plan.mutant}`, () => Effect.gen(function* () {
            const report = yield* run(plan);
            assert.isNotEmpty(violations(report), JSON.stringify(report));
        }).pipe(Effect.provide(Logger.layer([]))), 120_000);
    }
});
