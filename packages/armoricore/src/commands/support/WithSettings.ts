/** What every command stands on: the settings of the environment, and logs and traces as they say. */
import { Effect, Layer } from "effect"
import * as Logs from "../../telemetry/Logs.ts"
import { Settings } from "../../settings/Settings.ts"
import * as ProcessMetrics from "../../telemetry/ProcessMetrics.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"

const layer = Logs.withDynamicLevel.pipe(
  Layer.provideMerge(Layer.merge(Telemetry.layer, ProcessMetrics.countFibers)),
  Layer.provideMerge(Logs.layer),
  Layer.provideMerge(Settings.layer),
)

export const withSettings = Effect.provide(layer)
