/** Reads and changes the log level of this process while it runs. The program provides it. */
import { Context } from "effect"
import type { LogLevel } from "./OperatorApi.ts"

export interface LogLevelControl {
  readonly get: () => LogLevel
  readonly set: (level: LogLevel) => void
}

export const LogControl = Context.Reference<LogLevelControl>("@armoricore/operator/LogControl", {
  defaultValue: () => ({ get: () => "info", set: () => {} }),
})
