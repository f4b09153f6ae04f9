/** How each benchmark runs: on the services of Node, in a scope of its own, with warnings and errors alone in its log. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Effect, References } from "effect";
export const runBenchmark = (benchmark) => NodeRuntime.runMain(benchmark.pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.provideService(References.MinimumLogLevel, "Warn")));
