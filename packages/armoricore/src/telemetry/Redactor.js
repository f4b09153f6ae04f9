/**
 * Redacts secrets of the settings, tokens and signatures in all logs, metrics and spans. The program does not log secrets,
 * but an error of a library may quote, for example, a URL with a password.
 */
import { Context, Effect, Layer, Result } from "effect";
import { RawSettings } from "../settings/Settings.ts";
import { settingsTable } from "../settings/Table.ts";
import { makeRedact, secretQueryParameter } from "./Redaction.ts";
export class Redactor extends Context.Service()("@armoricore/armoricore/Redactor") {
    static layer = Layer.effect(Redactor, Effect.map(RawSettings, (texts) => {
        const secrets = [...texts].flatMap(([name, text]) => Result.isSuccess(text) ? secretsIn(name, text.success) : []);
        return { redact: makeRedact(secrets) };
    }));
}
/** The secret parts of a setting's text. */
const secretsIn = (name, text) => {
    if (!settingsTable[name].secret)
        return text.split(",").flatMap(secretsInUrl);
    switch (name) {
        case "EVENT_SIGNING_KEYS":
            return text.split(",").map((pair) => pair.slice(pair.indexOf(":") + 1).trim());
        case "OTEL_EXPORTER_OTLP_HEADERS":
            return text.split(",").flatMap((pair) => {
                const value = pair.slice(pair.indexOf("=") + 1).trim();
                // With and without a scheme such as `Bearer`.
                return [value, value.replace(/^\S+ /, "")];
            });
        case "FCM_SERVICE_ACCOUNT":
            return [text, ...Array.from(text.matchAll(/"private_key(?:_id)?"\s*:\s*"([^"]+)"/g), ([, key = ""]) => key)];
        default:
            return [text];
    }
};
/** A password or a secret query parameter of a URL, both encoded and decoded. */
const secretsInUrl = (text) => {
    const password = /^\s*[a-z][a-z0-9+.-]*:\/\/[^\s/@]*?:([^\s@]+)@/i.exec(text)?.[1];
    const encoded = [
        ...(password === undefined ? [] : [password]),
        ...Array.from(text.matchAll(secretQueryParameter), ([, , value = ""]) => value),
    ];
    return encoded.flatMap((each) => {
        const decoded = Result.try(() => decodeURIComponent(each));
        return Result.isSuccess(decoded) ? [each, decoded.success] : [each];
    });
};
