/** Writes `docs/metrics.md` at the root of the checkout from the metric catalog. */
import { writeFileSync } from "node:fs";
import { metricsReference } from "../src/telemetry/MetricCatalog.ts";
writeFileSync(new URL("../../../docs/metrics.md", import.meta.url), metricsReference());
