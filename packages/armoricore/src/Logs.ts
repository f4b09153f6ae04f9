/**
 * Logs go to stderr, so that what a command prints on stdout stays clean: JSON, or pretty on a terminal.
 *
 * A JSON line is flat (`docs/operations.md` describes it): `timestamp`, `level`, `message`, then what belongs to the
 * work that logs (`service`, `event_type`, `media_id`, …), `trace_id` and `span_id`, and the fields of the line itself.
 *
 * How much is logged can be changed while the program runs: Effect asks its own minimum when a fiber starts, so that
 * lets all pass, and {@link heeding} asks ours for each line.
 */
import { LogControl } from "@armoricore/operator/LogControl"
import type { LogLevel as Name } from "@armoricore/operator/OperatorApi"
import { Effect, Layer, Logger, LogLevel, References } from "effect"
import { Settings } from "./Settings.ts"
import { lineOf } from "./telemetry/LogLine.ts"
import { Scrubber } from "./telemetry/Scrubber.ts"

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None",
} as const

const json = Effect.map(Scrubber, ({ scrub }) =>
  Logger.make((options) => {
    process.stderr.write(`${scrub(JSON.stringify(lineOf(options)))}\n`)
  }),
)

const pretty = Effect.map(Scrubber, ({ scrub }) =>
  Logger.make((options) => {
    const { level, message, timestamp, ...fields } = lineOf(options)
    const time = String(timestamp).slice(11, 23)
    const more = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`)
    const text = `${time} ${String(level).toUpperCase().padEnd(5)} ${String(message)}${faint(more.join(""))}`
    process.stderr.write(`${scrub(text)}\n`)
  }),
)

const faint = (text: string): string => (process.stderr.isTTY && text !== "" ? `\u001B[2m${text}\u001B[0m` : text)

const control = Layer.effect(
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
).pipe(Layer.merge(Layer.succeed(Logger.LogToStderr, true)), Layer.provideMerge(Layer.merge(control, Scrubber.layer)))

/** Holds every logger there is, those of the telemetry too, to the level of the moment. */
export const heeding = Layer.merge(
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
