/** Clocks of one machine, but the sink's entry and the bus's time are taken in different processes. */
const clockToleranceMillis = 50;
export const summarize = ({ acknowledged, results, seen, sent }) => {
    const effects = Map.groupBy(seen.effects, ({ id }) => id);
    const isDone = (id) => effects.has(id) && results.has(id);
    return {
        acknowledged: acknowledged.size,
        lost: [...acknowledged].filter((id) => !isDone(id)).length,
        withoutEffect: [...acknowledged].filter((id) => !effects.has(id)).length,
        unexpected: [...effects.keys(), ...results.keys()].filter((id) => !sent.has(id)).length,
        duplicateEffects: seen.effects.filter(({ at, id }) => at > (results.get(id)?.firstAt ?? Infinity) + clockToleranceMillis).length,
        ambiguousResults: [...results.values()].filter(({ ids }) => ids.size > 1).length,
        resultIds: Math.max(0, ...[...results.values()].map(({ ids }) => ids.size)),
        repeatedEffects: seen.effects.length - effects.size,
        fencedEffects: seen.fenced,
    };
};
/** The violated criteria by name; empty for a sound run. */
export const violations = (report) => [
    ...report.notReady.map((what) => `not ready: ${what}`),
    ...["lost", "unexpected", "duplicateEffects", "ambiguousResults", "prefetched", "deadLetters"]
        .filter((name) => report[name] > 0 && (name !== "lost" || report.notReady.length === 0))
        .map((name) => name === "lost" ? `lost: ${report.lost} (${report.withoutEffect} without an effect)` : `${name}: ${report[name]}`),
];
