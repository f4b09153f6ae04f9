/**
 * Whether this process should receive traffic, and the routes for probes and Prometheus. Each dependency has a check: if
 * a required one fails, the process is not ready; if another one fails, it is ready but degraded.
 */
import { Clock, Context, Effect, Layer, Ref } from "effect";
import { HttpRouter, HttpServerResponse } from "effect/http";
import * as Exposition from "../telemetry/Exposition.ts";
import { Redactor } from "../telemetry/Redactor.ts";
import { version } from "../Version.ts";
import { ClusterWorker } from "../workers/ClusterWorker.ts";
export class Readiness extends Context.Service()("@armoricore/armoricore/Readiness") {
    static layer = (makeChecks) => Layer.effect(Readiness, Effect.gen(function* () {
        const checks = yield* makeChecks;
        const phase = yield* Ref.make("starting");
        const cached = yield* Ref.make(undefined);
        return Readiness.of({
            setPhase: (next) => Ref.update(phase, (current) => (current === "draining" ? current : next)),
            report: Effect.gen(function* () {
                const current = yield* Ref.get(phase);
                if (current !== "serving") {
                    const reasons = [current === "starting" ? "the program is starting" : "the program is stopping"];
                    return { ready: false, degraded: false, reasons };
                }
                // Several load balancers may probe at the same time; one report per second is enough.
                const now = yield* Clock.currentTimeMillis;
                const previous = yield* Ref.get(cached);
                if (previous !== undefined && now - previous.at < reportCacheMillis)
                    return previous.report;
                const report = yield* runChecks(checks);
                yield* Ref.set(cached, { at: now, report });
                return report;
            }),
        });
    }));
}
const reportCacheMillis = 1000;
const runChecks = (checks) => Effect.forEach(checks, (check) => check.run.pipe(Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.fail("no response within 2 s") }), Effect.match({
    onFailure: (reason) => ({ required: check.required, reason: `${check.name}: ${reason}` }),
    onSuccess: () => undefined,
})), { concurrency: "unbounded" }).pipe(Effect.map((results) => {
    const failures = results.filter((result) => result !== undefined);
    const ready = !failures.some(({ required }) => required);
    return { ready, degraded: ready && failures.length > 0, reasons: failures.map(({ reason }) => reason) };
}));
const noStore = { "cache-control": "no-store" };
/** `/healthz` (the process runs), `/readyz` (503 with the reasons while it is not ready) and `/metrics`. */
export const healthRoutes = Layer.mergeAll(HttpRouter.add("GET", "/healthz", HttpServerResponse.jsonUnsafe({ status: "ok", version }, { headers: noStore })), HttpRouter.add("GET", "/readyz", Effect.gen(function* () {
    const report = yield* (yield* Readiness).report;
    return HttpServerResponse.jsonUnsafe(report, { status: report.ready ? 200 : 503, headers: noStore });
})), HttpRouter.add("GET", "/metrics", Effect.gen(function* () {
    const { primary } = yield* ClusterWorker;
    const { redact } = yield* Redactor;
    const text = yield* Exposition.render(primary?.metrics ?? Exposition.localMetrics, redact);
    return HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" });
})));
