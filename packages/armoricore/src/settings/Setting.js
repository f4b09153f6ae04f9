/**
 * One environment variable: description, default, example and parser. `Table.ts` lists all of them. The parsing itself,
 * `check-config`, `.env.example` and `docs/configuration.md` are derived from that table. `Config` of Effect stops at the
 * first error and has no descriptions, so the program needs this type of its own.
 */
import { isEventType, internalSources } from "@armoricore/domain/EventRegistry";
import { Duration, Option, Redacted, Result } from "effect";
import { IpNetwork } from "effect/net";
import { createRequire } from "node:module";
const mustBe = (expectation) => Result.fail(`must be ${expectation}`);
/** A setting that is undefined by default: first its parser, then its texts. */
export const optional = (parse, secret = false) => (texts) => ({
    description: texts.description,
    defaultText: texts.defaultText ?? "unset",
    example: texts.example ?? "",
    secret,
    parse,
    fallback: undefined,
});
/** The same setting with a default value. */
export const withDefault = (setting, value, defaultText) => ({
    ...setting,
    defaultText,
    example: setting.example === "" ? defaultText : setting.example,
    fallback: value,
    // Parsers never return undefined: it means an unset variable.
    parse: (text) => Result.map(setting.parse(text), (parsed) => parsed ?? value),
});
export const text = optional((value) => Result.succeed(value));
export const secret = optional((value) => Result.succeed(Redacted.make(value)), true);
/** A secret with a minimum length, because short keys can be guessed. */
export const longSecret = (minLength) => optional((value) => value.length < minLength ? mustBe(`at least ${minLength} characters long`) : Result.succeed(Redacted.make(value)), true);
/** The library has 70 modules: only a program with a seed loads it to read its settings. */
const isUserSeed = (value) => {
    const { nkeys } = createRequire(import.meta.url)("nats");
    return Result.isSuccess(Result.try(() => nkeys.fromSeed(new TextEncoder().encode(value)))) && value.startsWith("SU");
};
/** An nkey seed of a NATS user. */
export const nkeySeed = optional((value) => isUserSeed(value)
    ? Result.succeed(Redacted.make(value))
    : mustBe("the nkey seed of a NATS user, which begins with SU"), true);
export const int = (min, max) => optional((value) => {
    const number = Number(value);
    return /^[0-9]+$/.test(value) && number >= min && number <= max
        ? Result.succeed(number)
        : mustBe(`a whole number from ${min} to ${max}`);
});
const byteUnits = {
    b: 1,
    kb: 1e3,
    mb: 1e6,
    gb: 1e9,
    tb: 1e12,
    kib: 2 ** 10,
    mib: 2 ** 20,
    gib: 2 ** 30,
};
/** Bytes: a bare number, `200 MB` or `5 GB` (powers of 1000), `64 KiB` (powers of 1024). */
export const size = (min) => optional((value) => {
    const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*(t?b|[kmg]i?b)?\s*$/i.exec(value);
    const bytes = Math.round(Number(match?.[1]) * (byteUnits[(match?.[2] ?? "b").toLowerCase()] ?? 1));
    return bytes >= min && Number.isSafeInteger(bytes)
        ? Result.succeed(bytes)
        : mustBe(`a size such as 200 MB or 5 GB, at least ${min} bytes`);
});
/** `500 ms`, `1 s`, `2 minutes`, `1h`; a bare number is seconds. */
export const parseDuration = (value) => {
    const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|millis|s|seconds?|m|min|minutes?|h|hours?|d|days?)?\s*$/.exec(value);
    if (match === null)
        return mustBe("a duration such as 500 ms, 30 s, 10 min, 1 h or 7 d");
    const amount = Number(match[1]);
    const unit = match[2] ?? "s";
    const millis = unit.startsWith("ms") || unit.startsWith("milli") ? 1 : { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }[unit[0] ?? "s"];
    return Result.succeed(Duration.millis(amount * (millis ?? 1e3)));
};
export const duration = optional(parseDuration);
/** A duration within limits, in seconds. */
export const durationRange = (min, max) => optional((value) => Result.filterOrFail(parseDuration(value), (parsed) => Duration.toSeconds(parsed) >= min && Duration.toSeconds(parsed) <= max, () => `must be a duration from ${min} s to ${max} s`));
export const positiveDuration = optional((value) => Result.filterOrFail(parseDuration(value), (parsed) => Duration.toMillis(parsed) > 0, () => "must be longer than 0 s"));
export const choice = (...choices) => optional((value) => {
    const choice = choices.find((option) => option === value);
    return choice === undefined ? mustBe(`one of ${choices.join(", ")}`) : Result.succeed(choice);
});
const commaSeparated = (value) => value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
export const list = optional((value) => Result.succeed(commaSeparated(value)));
/** IP addresses and networks: `10.0.0.0/8,192.168.1.4`. */
export const ipNetworks = optional((value) => {
    const networks = [];
    for (const part of commaSeparated(value)) {
        const network = IpNetwork.fromString(part.includes("/") ? part : `${part}/${part.includes(":") ? 128 : 32}`);
        if (Result.isFailure(network))
            return mustBe(`IP addresses or networks such as 10.0.0.0/8, but has ${part}`);
        networks.push(network.success);
    }
    return Result.succeed(networks);
});
const parseUrl = (value) => URL.canParse(value) ? Option.some(new URL(value)) : Option.none();
const isValidUrl = (value, protocols) => Option.match(parseUrl(value), {
    onNone: () => false,
    onSome: (url) => protocols.includes(url.protocol) && url.hostname !== "",
});
const formatProtocols = (protocols) => protocols.map((protocol) => `${protocol}//`).join(" or ");
/** Protocols for `url`. */
export const httpProtocols = ["http:", "https:"];
/** A URL; a trailing slash is removed. It may contain a password, which `check-config` redacts. */
export const url = (...protocols) => optional((value) => isValidUrl(value, protocols)
    ? Result.succeed(value.replace(/\/+$/, ""))
    : mustBe(`a URL that starts with ${formatProtocols(protocols)}`));
export const urls = (...protocols) => optional((value) => {
    const parts = commaSeparated(value);
    return parts.length > 0 && parts.every((part) => isValidUrl(part, protocols))
        ? Result.succeed(parts)
        : mustBe(`one URL or several separated by commas, each starting with ${formatProtocols(protocols)}`);
});
export const parseJson = (value) => Result.mapError(Result.try(() => JSON.parse(value)), () => "must be valid JSON");
/** `{"php-backend":["media.uploaded"]}` */
export const eventSources = optional((value) => Result.flatMap(parseJson(value), (parsed) => {
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
        return mustBe('a JSON object such as {"php-backend":["media.uploaded"]}');
    }
    const sources = {};
    for (const [source, types] of Object.entries(parsed)) {
        if (!/^[A-Za-z0-9._-]{1,64}$/.test(source))
            return mustBe(`an object whose keys are source names; "${source}" is not a source name`);
        if (internalSources.some((own) => own === source))
            return Result.fail(`must not contain "${source}", which is reserved for Armoricore`);
        if (!Array.isArray(types))
            return mustBe(`an object of lists; the value of "${source}" is not a list`);
        const unknown = types.find((type) => typeof type !== "string" || !isEventType(type));
        if (unknown !== undefined)
            return Result.fail(`must list known event types; ${JSON.stringify(unknown)} is unknown`);
        sources[source] = types.filter((type) => typeof type === "string" && isEventType(type));
    }
    return Result.succeed(sources);
}));
/** Shorter ones can be guessed from one signed event. The test vector of the documentation has 8. */
export const minSigningSecret = 8;
/** `id:secret,id:secret`; the first key signs. */
export const signingKeys = optional((value) => {
    const keys = new Map();
    for (const part of commaSeparated(value)) {
        const at = part.indexOf(":");
        const id = part.slice(0, at);
        if (at < 1 || at === part.length - 1 || !/^[A-Za-z0-9._-]+$/.test(id))
            return mustBe("id:secret pairs separated by commas");
        if (keys.has(id))
            return Result.fail(`must have different key ids; ${id} occurs twice`);
        if (part.length - at - 1 < minSigningSecret)
            return mustBe(`id:secret pairs whose secrets have at least ${minSigningSecret} characters; that of ${id} is shorter`);
        keys.set(id, Redacted.make(part.slice(at + 1)));
    }
    return keys.size === 0 ? mustBe("id:secret pairs separated by commas") : Result.succeed(keys);
}, true);
