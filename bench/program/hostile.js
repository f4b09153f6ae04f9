/**
 * What hostile messages cost the others: 400 messages of 4,000 characters in one room, with words and links moderated, while a
 * client of another room writes 20 messages a second. Beside plain text of the same length; CPU is the whole program's.
 *
 * Usage: `node bench/program/hostile.ts [rounds]`.
 */
import * as Tokens from "@armoricore/auth/Tokens";
import { Console, Duration, Effect, Redacted } from "effect";
import { runBenchmark } from "../cli.ts";
import * as Results from "../Results.ts";
import { startCrowd } from "./Crowd.ts";
import { secret, textKinds } from "./Protocol.ts";
import * as Subject from "./Subject.ts";
const rounds = Number(process.argv[2] ?? 3);
const messages = 400;
const writers = 8;
const env = { MODERATION_WORDS: "scam,viagra,free money", MODERATION_LINKS: "review" };
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const program = Effect.gen(function* () {
    const signer = yield* Tokens.Tokens;
    const tokens = yield* Effect.forEach(Array.from({ length: writers }, (_, index) => index), (index) => signer.sign({ userId: `user-${index}`, ttl: Duration.hours(1) }));
    const subject = yield* Subject.start("armoricore", env);
    const { port } = subject;
    const [senders, other] = [yield* startCrowd, yield* startCrowd];
    yield* senders.request({ order: "connect", port, tokens, topic: "chat:room:hostile" }, "connected");
    yield* other.request({ order: "connect", port, tokens: tokens.slice(0, 1), topic: "chat:room:other" }, "connected");
    const probed = Effect.fnUntraced(function* (work) {
        other.send({ order: "probe", everyMillis: 50 });
        const before = subject.cpuSeconds();
        yield* work;
        const cpu = subject.cpuSeconds() - before;
        const { replies } = yield* other.request({ order: "stop probing" }, "probed");
        return { cpu, reply: median(replies) };
    });
    const write = (text) => Effect.andThen(senders.request({ order: "write", messages, inFlight: writers, writers, text }, "written"), 
    // Moderation lags behind.
    Effect.sleep(Duration.seconds(2)));
    yield* write("plain");
    const quiet = yield* probed(Effect.sleep(Duration.seconds(4)));
    const rows = [];
    const results = new Map();
    for (let round = 0; round < rounds; round++) {
        for (const text of textKinds) {
            const result = yield* probed(write(text));
            results.set(text, [...(results.get(text) ?? []), result]);
            yield* Console.log(text, JSON.stringify(result));
        }
    }
    const least = (text, value) => Math.min(...(results.get(text) ?? []).map((result) => result[value]));
    for (const text of textKinds) {
        const cpu = least(text, "cpu");
        const isPlain = text === "plain" ? "" : ` (${(cpu / least("plain", "cpu")).toFixed(2)})`;
        rows.push([text, `${cpu.toFixed(2)}${isPlain}`, least(text, "reply").toFixed(1)]);
    }
    const body = [
        `${messages} messages of 4,000 characters by ${writers} writers, as fast as they are answered; the best of ${rounds} rounds. Median reply in the other room without them: ${quiet.reply.toFixed(1)} ms.`,
        Results.markdownTable([["text", "CPU s (of plain)", "median reply of another room, ms"], ...rows]),
        "Aim: at most 2 × the CPU of plain text, and the median reply of another room as with plain text.",
    ].join("\n\n");
    yield* Results.writeSection("hostile messages", "node bench/program/hostile.ts", body);
    yield* Console.log(body);
});
runBenchmark(Effect.provide(program, Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })));
