/** What every command stands on: the settings of the environment, and logs and traces as they say. */
import { Effect, Layer } from "effect"
import * as Logs from "../Logs.ts"
import { Settings } from "../Settings.ts"
import * as ProcessMetrics from "../telemetry/ProcessMetrics.ts"
import * as Telemetry from "../Telemetry.ts"

const layer = Logs.heeding.pipe(
  Layer.provideMerge(Layer.merge(Telemetry.layer, ProcessMetrics.countFibers)),
  Layer.provideMerge(Logs.layer),
  Layer.provideMerge(Settings.layer),
)

export const settled = Effect.provide(layer)
