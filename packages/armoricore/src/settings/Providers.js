import { providers } from "@armoricore/notify/providers/Providers";
import { channelTraits } from "@armoricore/notify/request/Target";
import { Redacted, Result } from "effect";
import { list, optional, parseJson, secret, text, url } from "./Setting.ts";
const isEmailProvider = (provider) => provider.channel === "email";
const isPushProvider = (provider) => channelTraits[provider.channel].type === "push";
const isOtherProvider = (provider) => !isEmailProvider(provider) && !isPushProvider(provider) && Object.keys(provider.settings).length > 0;
export const emailProviders = providers.filter(isEmailProvider);
export const pushProviders = providers.filter(isPushProvider);
/** SMS, chats and webhooks, as far as they have settings. */
export const otherProviders = providers.filter(isOtherProvider);
const tableOf = (from) => {
    const entries = from.flatMap(({ settings }) => Object.entries(settings).map(([name, setting]) => [name, toSetting(setting)]));
    // `Object.fromEntries` forgets the names, and `toSetting` the kind of each value.
    return Object.fromEntries(entries);
};
const toSetting = (setting) => {
    switch (setting.kind) {
        case "text":
        case "file":
            return text(setting);
        case "secret":
            return secret(setting);
        case "jsonSecret":
            return jsonSecret(setting.properties)(setting);
        case "url":
            return url(...setting.protocols)(setting);
        case "list":
            return listOf(setting.pattern, setting.items)(setting);
    }
};
/** The provider decodes the JSON with its own Schema; here only the names of missing properties are reported. */
const jsonSecret = (properties) => optional((value) => Result.flatMap(parseJson(value), (parsed) => {
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
        return Result.fail("must be a JSON object");
    const missing = properties.filter((property) => !Object.hasOwn(parsed, property));
    return missing.length === 0
        ? Result.succeed(Redacted.make(value))
        : Result.fail(`lacks ${missing.join(", ")}; paste the whole JSON file`);
}), true);
const listOf = (pattern, items) => optional((value) => Result.flatMap(list({ description: "" }).parse(value), (parts = []) => parts.every((part) => pattern.test(part)) ? Result.succeed(parts) : Result.fail(`must be ${items}`)));
export const pushProviderSettings = tableOf(pushProviders);
export const emailProviderSettings = tableOf(emailProviders);
export const otherProviderSettings = tableOf(otherProviders);
