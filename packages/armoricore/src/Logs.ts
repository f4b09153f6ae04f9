/** Logs go to stderr, so that what a command prints on stdout stays clean: JSON, or pretty on a terminal. */
import { Effect, Layer, Logger, References } from "effect"
import { Settings } from "./Settings.ts"

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None",
} as const

/** `Logger.consoleJson` writes to stdout whatever `LogToStderr` says. */
const jsonToStderr = Logger.map(Logger.formatJson, (line) => {
  process.stderr.write(`${line}\n`)
})

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { LOG_FORMAT, LOG_LEVEL } = yield* Settings
    const pretty = (LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json")) === "pretty"
    return Layer.mergeAll(
      Logger.layer([pretty ? Logger.consolePretty() : jsonToStderr]),
      Layer.succeed(Logger.LogToStderr, true),
      Layer.succeed(References.MinimumLogLevel, levels[LOG_LEVEL]),
    )
  }),
)
