/**
 * Logs on stderr, as JSON or in a readable format on a terminal; stdout is for the output of commands.
 *
 * A JSON line is flat (see `docs/operations.md`): `timestamp`, `level`, `message`, annotations of the current work
 * (`service`, `event_type`, `media_id`, …), `trace_id`, `span_id`, and the fields of the log call.
 *
 * The level can change at run time. Effect reads its own minimum level only when a fiber starts, so that level is "Trace",
 * and {@link withDynamicLevel} checks the current level for each line.
 */
import { LogControl } from "@armoricore/operator/LogControl";
import { Context, Effect, Layer, Logger, LogLevel, References, Result, Schema } from "effect";
import { Settings } from "../settings/Settings.ts";
import { toLogLine } from "./LogLine.ts";
import { Redactor } from "./Redactor.ts";
const levels = {
    trace: "Trace",
    debug: "Debug",
    info: "Info",
    warn: "Warn",
    error: "Error",
    fatal: "Fatal",
    none: "None",
};
const json = Effect.map(Redactor, ({ redact }) => Logger.make((options) => {
    process.stderr.write(`${redact(JSON.stringify(toLogLine(options)))}\n`);
}));
const pretty = Effect.map(Redactor, ({ redact }) => Logger.make((options) => {
    const { level, message, timestamp, ...fields } = toLogLine(options);
    const time = String(timestamp).slice(11, 23);
    const details = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`);
    const text = `${time} ${String(level).toUpperCase().padEnd(5)} ${String(message)}${dim(details.join(""))}`;
    process.stderr.write(`${redact(text)}\n`);
}));
const dim = (text) => (process.stderr.isTTY && text !== "" ? `\u001B[2m${text}\u001B[0m` : text);
/** The listeners of {@link LogControl}. */
class LineListeners extends Context.Service()("armoricore/LineListeners") {
    static layer = Layer.sync(LineListeners, () => new Set());
}
/** Redaction works on text. */
const toListeners = Effect.gen(function* () {
    const { redact } = yield* Redactor;
    const listeners = yield* LineListeners;
    const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Json));
    return Logger.make((options) => {
        if (listeners.size === 0)
            return;
        const line = parse(redact(JSON.stringify(toLogLine(options))));
        if (Result.isSuccess(line))
            for (const listener of listeners)
                listener(line.success);
    });
});
const logControl = Layer.effect(LogControl, Effect.gen(function* () {
    const { LOG_LEVEL } = yield* Settings;
    const listeners = yield* LineListeners;
    let level = LOG_LEVEL;
    return {
        onLine: (listener) => {
            listeners.add(listener);
            return () => void listeners.delete(listener);
        },
        get: () => level,
        set: (next) => {
            level = next;
        },
    };
}));
export const layer = Layer.unwrap(Effect.map(Settings, ({ LOG_FORMAT }) => {
    const isPretty = (LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json")) === "pretty";
    return Logger.layer([isPretty ? pretty : json, toListeners]);
})).pipe(Layer.merge(Layer.succeed(Logger.LogToStderr, true)), Layer.provideMerge(Layer.merge(logControl, Redactor.layer)), Layer.provide(LineListeners.layer));
/** Applies the current level to every logger, including the one of OpenTelemetry. */
export const withDynamicLevel = Layer.merge(Layer.effect(Logger.CurrentLoggers, Effect.gen(function* () {
    const { get } = yield* LogControl;
    const loggers = yield* Logger.CurrentLoggers;
    return new Set([...loggers].map((logger) => Logger.make((line) => {
        if (LogLevel.isGreaterThanOrEqualTo(line.logLevel, levels[get()]))
            logger.log(line);
    })));
})), Layer.succeed(References.MinimumLogLevel, "Trace"));
