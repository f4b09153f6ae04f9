/** What became of events that have no effect or no result: lost, or only late, and at which step. */
import { KeyValue } from "@armoricore/state/KeyValue";
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger";
import { Effect, Option } from "effect";
/** A line for each, with its ledger record; then the workers, and what the broker says; none where nothing misses. */
export const describeMissing = Effect.fnUntraced(function* ({ acknowledged, results, seen }, consumer, workers, broker) {
    const state = yield* KeyValue;
    const recorded = new Set(seen.effects.map(({ id }) => id));
    const missing = [...acknowledged].filter((id) => !recorded.has(id) || !results.has(id));
    if (missing.length === 0)
        return [];
    const lines = yield* Effect.forEach(missing, (id) => Effect.map(Effect.result(state.get(ledgerBucket, `${consumer}.${id}`)), (found) => `${id}: ${recorded.has(id) ? "effect" : "no effect"}, ${results.has(id) ? "result" : "no result"}, ledger ${found._tag === "Failure"
        ? `unreadable (${found.failure.message})`
        : Option.match(found.success, {
            onNone: () => "without record",
            onSome: ({ revision, value }) => `#${revision} ${value.slice(0, 200)}`,
        })}`));
    const states = workers.flatMap(({ complaints, isRunning, lines: said }, index) => [
        `worker ${index + 1}: ${isRunning() ? "runs" : "has ended"}, ${said.includes("ready") ? "was ready" : "never ready"}, ${said.filter((line) => line.startsWith("got ")).length} deliveries`,
        ...complaints.map((line) => `  ${line}`),
    ]);
    return [...lines, ...states, ...(yield* broker.diagnostics)];
});
