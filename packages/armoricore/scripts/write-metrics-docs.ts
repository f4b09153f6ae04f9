/** Writes `docs/metrics.md` at the root of the checkout from the list of metrics. */
import { writeFileSync } from "node:fs"
import { metricsReference } from "../src/telemetry/MetricCatalog.ts"

writeFileSync(new URL("../../../docs/metrics.md", import.meta.url), metricsReference())
