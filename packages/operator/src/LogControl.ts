/** Reads and changes the log level of this process while it runs, and reads its log lines. The program provides it. */
import { Context, Layer, type Schema } from "effect"
import type { LogLevel } from "./OperatorApi.ts"

export interface LogLevelControl {
  readonly get: () => LogLevel
  readonly set: (level: LogLevel) => void
  /**
   * Calls back with each line that is logged from now on, as a flat object without secrets, until the returned function
   * is called. The callback must not block, throw or log.
   */
  readonly onLine: (listener: (line: Schema.Json) => void) => () => void
}

export class LogControl extends Context.Service<LogControl, LogLevelControl>()("@armoricore/operator/LogControl") {
  /** The level is always `info`, changes are ignored, and there are no lines. */
  static readonly layerNoop = Layer.succeed(LogControl, { get: () => "info", set: () => {}, onLine: () => () => {} })
}
