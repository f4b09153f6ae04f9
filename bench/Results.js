/** Keeps `bench/RESULTS.md`: one section a benchmark, replaced by each run, with the command and the machine. */
import { Effect, FileSystem, Path } from "effect";
import { arch, cpus, release, totalmem, type } from "node:os";
/** `body` is Markdown; `command` is what a reader types to get such figures. */
export const writeSection = Effect.fn("Results.write")(function* (section, command, body) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const file = path.join(import.meta.dirname, "RESULTS.md");
    const before = (yield* fs.exists(file)) ? yield* fs.readFileString(file) : "";
    const others = before
        .split(/^(?=## )/m)
        .filter((part) => part.startsWith("## ") && !part.startsWith(`## ${section}\n`))
        .map((part) => part.trim());
    const own = `## ${section}\n\n\`${command}\` on ${describeMachine()}, ${new Date().toISOString().slice(0, 10)}.\n\n${body.trim()}`;
    const sections = [...others, own].sort();
    yield* fs.writeFileString(file, `${[title, ...sections].join("\n\n")}\n`);
});
/** A Markdown table whose columns are aligned, as the formatter wants it. The first row is the head. */
export const markdownTable = (rows) => {
    const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
    const line = (cells) => `| ${cells.join(" | ")} |`;
    const [head = "", ...others] = rows.map((row) => line(widths.map((width, at) => (row[at] ?? "").padEnd(width))));
    return [head, line(widths.map((width) => "-".repeat(width))), ...others].join("\n");
};
const title = "# Benchmarks\n\nEach section is written by the command it names. Compare ratios within a section; absolute figures belong to the machine.";
const describeMachine = () => {
    const all = cpus();
    return `${all.length} × ${all[0]?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()} ${arch()}, Node ${process.versions.node}`;
};
