/** Reads and changes the log level of this process while it runs. The program provides it. */
import { Context, Layer } from "effect"
import type { LogLevel } from "./OperatorApi.ts"

export interface LogLevelControl {
  readonly get: () => LogLevel
  readonly set: (level: LogLevel) => void
}

export class LogControl extends Context.Service<LogControl, LogLevelControl>()("@armoricore/operator/LogControl") {
  /** The level is always `info`, and changes are ignored. */
  static readonly layerNoop = Layer.succeed(LogControl, { get: () => "info", set: () => {} })
}
