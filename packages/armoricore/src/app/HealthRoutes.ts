/** What probes and Prometheus ask: `/healthz` (alive), `/readyz` (with the reason when not ready), `/metrics`. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Readiness } from "./Readiness.ts"
import * as Exposition from "../telemetry/Exposition.ts"
import { Redactor } from "../telemetry/Redactor.ts"
import { version } from "../Version.ts"
import { ClusterWorker } from "../workers/ClusterWorker.ts"

const noStore = { "cache-control": "no-store" }

export const layer = Layer.mergeAll(
  HttpRouter.add("GET", "/healthz", HttpServerResponse.jsonUnsafe({ status: "ok", version }, { headers: noStore })),
  HttpRouter.add(
    "GET",
    "/readyz",
    Effect.gen(function* () {
      const report = yield* (yield* Readiness).report
      return HttpServerResponse.jsonUnsafe(report, { status: report.ready ? 200 : 503, headers: noStore })
    }),
  ),
  HttpRouter.add(
    "GET",
    "/metrics",
    Effect.gen(function* () {
      const link = yield* ClusterWorker
      const { redact } = yield* Redactor
      const text = yield* Exposition.render(link?.metrics ?? Exposition.localMetrics, redact)
      return HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
    }),
  ),
)
