/**
 * `npm run soak`: the whole program under mixed load for a while, on the embedded default and on NATS with PostgreSQL.
 * Its memory and its open handles must stay where they are, its log must be without an error, and what was asked for
 * must have been done. `--minutes 30` (default 2) and `--on embedded` or `--on nats` (default both, side by side);
 * `--write` keeps the figures in bench/RESULTS.md.
 *
 * The first third of the run is not judged: code is compiled, caches and windows of duplicates fill.
 *
 * Memory in use is what is resident less what V8 holds and does not use, looked at after each full collection: V8 takes
 * room in steps when a busy moment makes more garbage, and gives it back when it likes, which says nothing of a leak.
 */
import * as Tokens from "@armoricore/auth/Tokens";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Console, Duration, Effect, FileSystem, Redacted, Schedule } from "effect";
import { execFileSync } from "node:child_process";
import * as Results from "../bench/Results.ts";
import * as Load from "./Load.ts";
import * as ProgramProcess from "./ProgramProcess.ts";
import { trendOf } from "./Trend.ts";
const flag = (name) => {
    const at = process.argv.indexOf(`--${name}`);
    return at === -1 ? undefined : process.argv[at + 1];
};
const minutes = Number(flag("minutes") ?? 2);
const users = 40;
const secret = "a secret of the soak run, 32 bytes or more";
/** What a run may grow, in parts of its mean over the judged time: more is a leak. */
const maxGrowth = { memory: 0.1, handles: 0.05 };
/** A short run is still warming up: it is judged by the errors and by a bound on its growth alone. */
const isJudged = minutes >= 10;
const shortRunMaxGrowth = 0.6;
const environmentFor = Effect.fnUntraced(function* (on) {
    const fs = yield* FileSystem.FileSystem;
    const own = { ARMORICORE_DATA_DIR: yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-soak-" }) };
    if (on === "embedded")
        return own;
    const nats = yield* NatsServer.make();
    const postgres = yield* PostgresServer.make();
    return { ...own, MESSAGE_BUS_URL: nats.url, STATE_URL: postgres.url };
});
const makeClip = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const path = `${yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-soak-" })}/clip.mp4`;
    const ffmpeg = Programs.find("ffmpeg");
    if (ffmpeg === undefined)
        return yield* new ProgramProcess.SoakError({ message: "ffmpeg is not installed; the soak needs it" });
    const film = ["-f", "lavfi", "-i", "testsrc=d=1:s=160x90:r=25", "-f", "lavfi", "-i", "sine=d=1"];
    execFileSync(ffmpeg, ["-v", "error", ...film, "-pix_fmt", "yuv420p", "-shortest", path]);
    return new Uint8Array(yield* fs.readFile(path));
});
const runSoak = Effect.fnUntraced(function* (on) {
    const counts = Load.emptyCounts();
    const used = [];
    const resident = [];
    const handles = [];
    const started = Date.now();
    const passed = () => (Date.now() - started) / 1000;
    const program = yield* ProgramProcess.start({ JWT_SECRET: secret, ...(yield* environmentFor(on)) }, ({ free }, pid) => {
        used.push({ at: passed(), value: ProgramProcess.readUsage(pid).memory - free });
    });
    const sample = Effect.sync(() => {
        const at = passed();
        const now = ProgramProcess.readUsage(program.pid);
        resident.push({ at, value: now.memory });
        handles.push({ at, value: now.handles });
    });
    const step = Math.max(1, Math.min(10, minutes));
    yield* Load.run({ url: program.url, clip: yield* makeClip, users, counts }).pipe(Effect.provide(Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })), Effect.raceFirst(Effect.repeat(sample, Schedule.spaced(Duration.seconds(step)))), Effect.raceFirst(Effect.sleep(Duration.minutes(minutes))));
    const { cpu } = ProgramProcess.readUsage(program.pid);
    const warm = (samples) => trendOf(samples.filter(({ at }) => at >= minutes * 20));
    const trends = { used: warm(used), resident: warm(resident), handles: warm(handles) };
    return { on, counts, cpu, ...trends, faults: program.logErrors };
}, Effect.scoped);
const findViolations = ({ counts, faults, handles, on, used }) => {
    const found = faults.slice(0, 5).map((line) => `${on}: the log has ${line}`);
    const says = (what, holds) => {
        if (!holds)
            found.push(`${on}: ${what}`);
    };
    const grew = (trend, most) => trend.growth <= (isJudged ? most : shortRunMaxGrowth);
    says(`memory in use grew by ${(used.growth * 100).toFixed(1)} % of its mean`, grew(used, maxGrowth.memory));
    says(`only ${used.count} full collections: too few to judge memory by`, !isJudged || used.count >= 5);
    says(`open handles grew by ${(handles.growth * 100).toFixed(1)} %`, grew(handles, maxGrowth.handles));
    // Messages in flight at the end are not lost.
    says(`${counts.uploads} uploads, only ${counts.streams} streams`, counts.streams >= counts.uploads * 0.9 - 2);
    says(`${counts.notifications} notifications, only ${counts.notificationsReported} reported`, counts.notificationsReported >= counts.notifications * 0.8 - 5);
    says("nothing was delivered", counts.deliveries > counts.chats);
    return found;
};
const span = ({ first, highest, last }) => [first, last, highest].map((value) => value.toFixed(0)).join(" / ");
const rows = (all) => [
    [
        "on",
        "uploads / streams",
        "chat messages / deliveries",
        "comments",
        "notifications",
        "dead letters",
        "connects",
        "CPU s",
        "memory in use MiB, first / last / highest",
        "its growth",
        "resident MiB, first / last / highest",
        "handles, first / last",
        "errors in the log",
    ],
    ...all.map(({ counts, cpu, faults, handles, on, resident, used }) => [
        on,
        `${counts.uploads} / ${counts.streams}`,
        `${counts.chats} / ${counts.deliveries}`,
        String(counts.comments),
        `${counts.notifications} / ${counts.notificationsReported}`,
        String(counts.invalidEvents),
        String(counts.connects),
        cpu.toFixed(0),
        span(used),
        `${(used.growth * 100).toFixed(1)} %`,
        span(resident),
        [handles.first, handles.last].join(" / "),
        String(faults.length),
    ]),
];
const main = Effect.gen(function* () {
    const on = flag("on") === undefined ? ["embedded", "nats"] : [flag("on") ?? ""];
    const all = yield* Effect.forEach(on, runSoak, { concurrency: "unbounded" });
    const text = Results.markdownTable(rows(all));
    yield* Console.log(text);
    const complaints = all.flatMap(findViolations);
    if (process.argv.includes("--write")) {
        const judgement = `${minutes} minutes of mixed load by ${users} users, both at once; the first third is not judged. Bounds: memory in use may grow by ${maxGrowth.memory * 100} % of its mean, handles by ${maxGrowth.handles * 100} %. ${complaints.length === 0 ? "Both held." : complaints.join("; ")}`;
        yield* Results.writeSection("soak", `npm run soak -- --minutes ${minutes} --write`, `${judgement}\n\n${text}`);
    }
    for (const complaint of complaints)
        yield* Console.error(complaint);
    if (complaints.length > 0)
        return yield* new ProgramProcess.SoakError({ message: "the soak did not hold" });
}).pipe(Effect.scoped);
NodeRuntime.runMain(main.pipe(Effect.provide(NodeServices.layer)));
