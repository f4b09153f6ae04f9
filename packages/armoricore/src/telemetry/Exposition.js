/** The text of `/metrics`: all samples, and the families that have none yet. */
import { Effect } from "effect";
import { PrometheusMetrics } from "effect/observability";
import { allMetrics } from "./MetricCatalog.ts";
/** Adds families without samples, so that dashboards and alerts find them from the start. */
export const withMissingFamilies = (text) => {
    const present = new Set(Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name));
    const missing = allMetrics
        .filter(({ name }) => !present.has(name))
        .map(({ description, name, type }) => `# HELP ${name} ${description}\n# TYPE ${name} ${type}\n`);
    return text + missing.join("");
};
/** The metrics of this process only. */
export const localMetrics = PrometheusMetrics.format();
export const render = (metrics, redact) => Effect.map(metrics, (text) => redact(withMissingFamilies(text)));
