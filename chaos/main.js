/**
 * `npm run chaos`; see `help`.
 *
 * A run is sound when nothing acknowledged is lost, nothing unexpected is done, no effect follows its own result and
 * each event has one result id; every mutant must be caught, or the check proves nothing.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Console, Effect, Logger, Result } from "effect";
import * as Results from "../bench/Results.ts";
import { longPlans, mutantPlans, shortPlans } from "./ChaosPlans.ts";
import { violations } from "./Report.ts";
import { brokerKinds } from "./Broker.ts";
import { run } from "./ChaosRun.ts";
const help = `npm run chaos                        three minutes: NATS, a cluster of three, RabbitMQ with PostgreSQL, embedded; then the mutants
npm run chaos -- --long              five minutes: more of it, full disks, each crash point by itself; written to bench/RESULTS.md
npm run chaos -- --long --rounds 12  an hour
npm run chaos -- --seed 42           the faults of an earlier run again
npm run chaos -- --only nats         that bus alone, without the mutants: ${brokerKinds.join(", ")}`;
const flag = (name) => {
    const at = process.argv.indexOf(`--${name}`);
    return at === -1 ? undefined : (process.argv[at + 1] ?? "");
};
const seed = Number(flag("seed") ?? Date.now() % 1_000_000);
const isLong = process.argv.includes("--long");
const nameOf = ({ bus, crashAt, disk }) => [bus, ...(disk === true ? ["small disk"] : []), ...(crashAt === undefined ? [] : [`crashes ${crashAt}`])].join(", ");
const reportColumns = [
    "acknowledged",
    "lost",
    "duplicateEffects",
    "unexpected",
    "resultIds",
    "deadLetters",
    "duplicateDeliveries",
];
const toRow = (plan, report) => [
    nameOf(plan),
    `${report.faults.length}`,
    ...reportColumns.map((name) => String(report[name])),
];
const chaos = Effect.gen(function* () {
    if (process.argv.includes("--help"))
        return yield* Console.log(help);
    const wanted = flag("only");
    if (wanted !== undefined && !brokerKinds.some((kind) => kind === wanted)) {
        yield* Console.error(`chaos: there is no plan ${wanted}; the plans are ${brokerKinds.join(", ")}`);
        process.exitCode = 2;
        return;
    }
    let wrong = 0;
    const rows = [
        ["on", "faults", ...reportColumns.map((name) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))],
    ];
    const remarks = [];
    const only = flag("only");
    const plans = isLong ? longPlans(seed, Number(flag("rounds") ?? 1)) : shortPlans(seed);
    for (const plan of plans.filter(({ bus }) => only === undefined || bus === only)) {
        const result = yield* Effect.result(run(plan));
        if (Result.isFailure(result) && typeof result.failure === "string") {
            remarks.push(`Left out: ${nameOf(plan)} (${result.failure}).`);
            yield* Console.log(remarks.at(-1));
            continue;
        }
        const report = yield* Effect.fromResult(result);
        const found = violations(report);
        wrong += found.length;
        rows.push(toRow(plan, report));
        yield* Console.log(`${nameOf(plan)}, seed ${plan.seed}: ${found.length === 0 ? "sound" : found.join(", ")}`);
        const { missingEvents, ...counts } = report;
        yield* Console.log(`  ${JSON.stringify(counts)}`);
        yield* Effect.forEach(missingEvents, (line) => Console.log(`  ${line}`), { discard: true });
    }
    for (const plan of only === undefined ? mutantPlans(seed) : []) {
        const found = violations(yield* run(plan));
        if (found.length === 0)
            wrong++;
        remarks.push(`Mutant ${plan.mutant}: ${found.length === 0 ? "NOT CAUGHT" : `caught (${found.join(", ")})`}.`);
        yield* Console.log(remarks.at(-1));
    }
    if (isLong && only === undefined) {
        const body = [`Seed ${seed}.`, "", Results.markdownTable(rows), "", ...remarks.map((remark) => `- ${remark}`)].join("\n");
        yield* Results.writeSection("chaos", "npm run chaos -- --long", body);
    }
    if (wrong > 0)
        return yield* Effect.fail(new Error(`${wrong} findings; the same faults again with --seed ${seed}`));
});
chaos.pipe(Effect.provide(Logger.layer([])), Effect.provide(NodeServices.layer), NodeRuntime.runMain);
