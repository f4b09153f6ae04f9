/** How much this process logs, and the way to change it while it runs. The program supplies it. */
import { Context } from "effect"
import type { LogLevel } from "./OperatorApi.ts"

export interface LogLevelControl {
  readonly get: () => LogLevel
  readonly set: (level: LogLevel) => void
}

export const LogControl = Context.Reference<LogLevelControl>("@armoricore/operator/LogControl", {
  defaultValue: () => ({ get: () => "info", set: () => {} }),
})
