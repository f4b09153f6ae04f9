/**
 * The program's configuration: reads every environment variable once at startup and reports all errors together.
 * `NAME_FILE` reads the value of `NAME` from a file, for mounted secrets.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Config, ConfigProvider, Context, Duration, Effect, FileSystem, Layer, Option, Redacted, Result, Schema, } from "effect";
import { IpNetwork } from "effect/net";
import { configProviderFor } from "../secrets/SecretConfigProvider.ts";
import { crossFieldErrors } from "./CrossFieldRules.ts";
import { secrets } from "./Secrets.ts";
import { settingsTable } from "./Table.ts";
import { makeRedact } from "../telemetry/Redaction.ts";
import { isRate, formatRate } from "./Realtime.ts";
/** Invalid settings; each error is one sentence that begins with the variable to change. */
export class SettingsError extends Schema.TaggedError()("SettingsError", {
    errors: Schema.Array(Schema.String),
}) {
    get message() {
        return this.errors.length === 1
            ? (this.errors[0] ?? "")
            : `${this.errors.length} settings need a change: ${this.errors.join("; ")}`;
    }
}
export class Settings extends Context.Service()("@armoricore/armoricore/Settings") {
    /** Reads the current `ConfigProvider`, and the secret store that it configures. */
    static layer = Layer.unwrap(Effect.gen(function* () {
        const raw = yield* loadRawSettings;
        return Layer.mergeAll(Layer.effect(Settings, decodeValues(raw)), Layer.succeed(RawSettings, raw));
    }));
}
/** The unparsed settings of this start, to detect changes later. */
export class RawSettings extends Context.Service()("@armoricore/armoricore/RawSettings") {
}
// The table is a constant of this package; Object.keys cannot know that it has no other keys.
export const settingNames = Object.keys(settingsTable).filter((name) => name in settingsTable);
/** The text of `NAME`, or of the file that `NAME_FILE` names. */
const readRawSetting = Effect.fnUntraced(function* (name) {
    const fs = yield* FileSystem.FileSystem;
    const direct = yield* Effect.option(Config.String(name));
    const file = yield* Effect.option(Config.String(`${name}_FILE`));
    if (Option.isNone(file))
        return Option.map(direct, Result.succeed);
    if (Option.isSome(direct))
        return Option.some(Result.fail(`${name}_FILE and ${name} are both set; unset one of them`));
    const content = yield* Effect.option(fs.readFileString(file.value));
    return Option.some(Result.fromOption(Option.map(content, (text) => text.replace(/\r?\n$/, "")), () => `${name}_FILE names ${file.value}, which cannot be read`));
});
const readRawSettings = Effect.fnUntraced(function* (names) {
    const texts = new Map();
    for (const name of names) {
        const text = yield* readRawSetting(name);
        if (Option.isSome(text))
            texts.set(name, text.value);
    }
    return texts;
});
// As above, for the keys of this group.
const secretStoreSettingNames = Object.keys(secrets).filter((name) => name in secrets);
/** Reads every variable again: environment, files and secret store. */
export const loadRawSettings = Effect.gen(function* () {
    const storeSettings = yield* decodeValues(yield* readRawSettings(secretStoreSettingNames), ["VAULT_", "AWS_"]);
    return yield* Effect.provideService(readRawSettings(settingNames), ConfigProvider.ConfigProvider, yield* configProviderFor(storeSettings));
});
/** Parses the texts. Reports only errors that begin with one of `prefixes`. */
const decodeValues = Effect.fnUntraced(function* (raw, prefixes = [""]) {
    const parseErrors = [];
    const values = {};
    for (const name of settingNames) {
        const setting = settingsTable[name];
        const value = Result.flatMap(raw.get(name) ?? Result.succeed(undefined), (text) => text === undefined
            ? Result.succeed(setting.fallback)
            : Result.mapError(setting.parse(text), (error) => `${name} ${error}`));
        if (Result.isSuccess(value))
            values[name] = value.success;
        else {
            values[name] = setting.fallback;
            parseErrors.push(value.failure);
        }
    }
    // Each value comes from the parser or the fallback of its own entry, which is the type of SettingValues.
    const decoded = values;
    // A setting with an invalid value is not missing.
    const crossErrors = crossFieldErrors(decoded).filter((error) => !parseErrors.some((parseError) => error.startsWith(`${parseError.split(" ", 1)[0]} is missing`)));
    const errors = [...parseErrors, ...crossErrors].filter((error) => prefixes.some((prefix) => error.startsWith(prefix)));
    if (errors.length > 0)
        return yield* new SettingsError({ errors });
    return decoded;
});
/** Formats durations inside an object; JSON.stringify would print their internal fields. */
const toPlain = (value) => {
    if (Duration.isDuration(value))
        return formatValue(value);
    if (typeof value !== "object" || value === null || Array.isArray(value))
        return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toPlain(part)]));
};
const redactByPattern = makeRedact([]);
const formatValue = (value) => {
    if (Redacted.isRedacted(value))
        return "<redacted>";
    if (Duration.isDuration(value))
        return `${Duration.toSeconds(value)} s`;
    if (value instanceof Map)
        return [...value.entries()].map(([key, part]) => `${String(key)}:${formatValue(part)}`).join(",");
    if (IpNetwork.isIpNetwork(value))
        return IpNetwork.format(value);
    if (Array.isArray(value))
        return value.map(formatValue).join(",");
    if (isRate(value))
        return formatRate(value);
    // A URL may contain a password.
    if (typeof value === "string")
        return redactByPattern(value);
    return typeof value === "object" ? JSON.stringify(toPlain(value)) : String(value);
};
/** `NAME=value` lines with secrets redacted, and a comment with the default for each unset variable. */
export const describe = (values) => settingNames.map((name) => {
    const value = values[name];
    return value === undefined ? `# ${name}: ${settingsTable[name].defaultText}` : `${name}=${formatValue(value)}`;
});
/** Reads the file that a setting names, such as a CA certificate. */
export const readSettingFile = Effect.fnUntraced(function* (setting, file) {
    const fs = yield* FileSystem.FileSystem;
    return yield* Effect.mapError(fs.readFileString(file), (cause) => new ConfigurationError({ setting, message: `${setting} names ${file}, which cannot be read`, cause }));
});
/** Undefined where the setting is unset. */
export const readOptionalSettingFile = (setting, file) => file === undefined ? Effect.undefined : readSettingFile(setting, file);
