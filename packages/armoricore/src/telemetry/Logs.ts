/**
 * Logs go to stderr, so that what a command prints on stdout stays clean: JSON, or pretty on a terminal.
 *
 * A JSON line is flat (`docs/operations.md` describes it): `timestamp`, `level`, `message`, then what belongs to the
 * work that logs (`service`, `event_type`, `media_id`, …), `trace_id` and `span_id`, and the fields of the line itself.
 *
 * How much is logged can be changed while the program runs: Effect asks its own minimum when a fiber starts, so that
 * lets all pass, and {@link withDynamicLevel} asks ours for each line.
 */
import { LogControl } from "@armoricore/operator/LogControl"
import type { LogLevel as Name } from "@armoricore/operator/OperatorApi"
import { Effect, Layer, Logger, LogLevel, References } from "effect"
import { Settings } from "../settings/Settings.ts"
import { toLogLine } from "./LogLine.ts"
import { Redactor } from "./Redactor.ts"

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None",
} as const

const json = Effect.map(Redactor, ({ redact }) =>
  Logger.make((options) => {
    process.stderr.write(`${redact(JSON.stringify(toLogLine(options)))}\n`)
  }),
)

const pretty = Effect.map(Redactor, ({ redact }) =>
  Logger.make((options) => {
    const { level, message, timestamp, ...fields } = toLogLine(options)
    const time = String(timestamp).slice(11, 23)
    const more = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`)
    const text = `${time} ${String(level).toUpperCase().padEnd(5)} ${String(message)}${dim(more.join(""))}`
    process.stderr.write(`${redact(text)}\n`)
  }),
)

const dim = (text: string): string => (process.stderr.isTTY && text !== "" ? `\u001B[2m${text}\u001B[0m` : text)

const logControl = Layer.effect(
  LogControl,
  Effect.map(Settings, ({ LOG_LEVEL }) => {
    let level: Name = LOG_LEVEL
    return {
      get: () => level,
      set: (wanted: Name) => {
        level = wanted
      },
    }
  }),
)

export const layer = Layer.unwrap(
  Effect.map(Settings, ({ LOG_FORMAT }) => {
    const isPretty = (LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json")) === "pretty"
    return Logger.layer([isPretty ? pretty : json])
  }),
).pipe(
  Layer.merge(Layer.succeed(Logger.LogToStderr, true)),
  Layer.provideMerge(Layer.merge(logControl, Redactor.layer)),
)

/** Holds every logger there is, those of the telemetry too, to the level of the moment. */
export const withDynamicLevel = Layer.merge(
  Layer.effect(
    Logger.CurrentLoggers,
    Effect.gen(function* () {
      const { get } = yield* LogControl
      const loggers = yield* Logger.CurrentLoggers
      return new Set(
        [...loggers].map((logger) =>
          Logger.make((line) => {
            if (LogLevel.isGreaterThanOrEqualTo(line.logLevel, levels[get()])) logger.log(line)
          }),
        ),
      )
    }),
  ),
  Layer.succeed(References.MinimumLogLevel, "Trace"),
)
