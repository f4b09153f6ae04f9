/** A process of its own for the tests: `owner` adds entries until it is killed and prints each acknowledged number. */
import { fileURLToPath } from "node:url";
import { Effect } from "effect";
import { EmbeddedEngine, layerClient, layerOwner } from "../../src/EmbeddedEngine.ts";
const [role, folder = ""] = process.argv.slice(2);
const url = new URL("./TallyOperations.ts", import.meta.url);
const program = Effect.gen(function* () {
    const tally = yield* (yield* EmbeddedEngine).module({ name: "tally", url });
    if (role === "client") {
        yield* tally.call("add", { text: "from-client" });
        return;
    }
    const add = (text) => Effect.tap(tally.call("add", { text }), () => Effect.sync(() => process.stdout.write(`${text}\n`)));
    for (let round = 0;; round++) {
        yield* Effect.all(Array.from({ length: 16 }, (_, index) => add(`${round}-${index}`)), { concurrency: "unbounded", discard: true });
    }
});
export const path = fileURLToPath(import.meta.url);
if (process.argv[1] === path) {
    const layer = role === "client" ? layerClient({ folder }) : layerOwner({ folder });
    Effect.runPromise(Effect.provide(program, layer)).catch((cause) => {
        process.stderr.write(`${String(cause)}\n`);
        process.exitCode = 1;
    });
}
