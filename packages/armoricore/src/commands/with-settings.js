/**
 * Settings and telemetry of a command. A module of its own: a command that needs nothing else, such as `token`, then loads
 * no service.
 */
import { Effect, Layer } from "effect";
import { Settings } from "../settings/Settings.ts";
import * as Logs from "../telemetry/Logs.ts";
import * as ProcessMetrics from "../telemetry/ProcessMetrics.ts";
import * as Telemetry from "../telemetry/Telemetry.ts";
const settingsAndTelemetry = Logs.withDynamicLevel.pipe(Layer.provideMerge(Layer.merge(Telemetry.layer, ProcessMetrics.countFibers)), Layer.provideMerge(Logs.layer), Layer.provideMerge(Settings.layer));
/** Provides the settings of the environment, and logs, traces and metrics as they configure them. */
export const withSettings = Effect.provide(settingsAndTelemetry);
