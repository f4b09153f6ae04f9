/**
 * Logs go to stderr, so that what a command prints on stdout stays clean: JSON, or pretty on a terminal.
 *
 * A JSON line is flat (`docs/operations.md` describes it): `timestamp`, `level`, `message`, then what belongs to the
 * work that logs (`service`, `event_type`, `media_id`, …), `trace_id` and `span_id`, and the fields of the line itself.
 *
 * How much is logged can be changed while the program runs (`LogControl`). A fiber knows the level that it started with,
 * so everything is let through to the loggers, and these look.
 */
import { LogControl } from "@armoricore/operator/LogControl"
import type { LogLevel } from "@armoricore/operator/OperatorApi"
import { Effect, Layer, Logger, References } from "effect"
import { Settings } from "./Settings.ts"
import { lineOf } from "./telemetry/LogLine.ts"
import { Scrubber } from "./telemetry/Scrubber.ts"

const severities = { All: 0, Trace: 0, Debug: 1, Info: 2, Warn: 3, Error: 4, Fatal: 5, None: 6 } as const
const leasts: Readonly<Record<LogLevel, number>> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, fatal: 5, none: 6 }

/** The same logger, which heeds the level that holds at the time. */
export const heeding = <A>(logger: Logger.Logger<unknown, A>): Effect.Effect<Logger.Logger<unknown, void>> =>
  Effect.map(LogControl, (control) =>
    Logger.make((options) => {
      if (severities[options.logLevel] >= leasts[control.get()]) logger.log(options)
    }),
  )

const control = Layer.effect(
  LogControl,
  Effect.map(Settings, ({ LOG_LEVEL }) => {
    let level: LogLevel = LOG_LEVEL
    return {
      get: () => level,
      set: (next: LogLevel) => {
        level = next
      },
    }
  }),
)

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

export const layer = Layer.unwrap(
  Effect.map(Settings, ({ LOG_FORMAT }) => {
    const isPretty = (LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json")) === "pretty"
    return Logger.layer([Effect.flatMap(isPretty ? pretty : json, heeding)])
  }),
).pipe(
  Layer.merge(Layer.succeed(Logger.LogToStderr, true)),
  Layer.merge(Layer.succeed(References.MinimumLogLevel, "All")),
  Layer.provideMerge(Layer.merge(control, Scrubber.layer)),
)
