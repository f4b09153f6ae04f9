/** Notifications, independent of the provider: rate limits, templates, unknown outcomes, links to unsubscribe. */
import { providers } from "@armoricore/notify/providers/Providers";
import { Duration, Result } from "effect";
import { choice, duration, int, longSecret, optional, text, withDefault } from "./Setting.ts";
/** `apns:500,smtp:10`: calls per second of one process. */
const rateLimits = optional((value) => {
    const limits = new Map();
    for (const part of value.split(",")) {
        const [, provider = "", rate = ""] = /^\s*([a-z_]+)\s*:\s*([0-9]+(?:\.[0-9]+)?)\s*$/.exec(part) ?? [];
        const name = providers.find((known) => known.name === provider)?.name;
        if (name === undefined || !(Number(rate) > 0) || limits.has(name))
            return Result.fail(`must be providers with calls per second, such as apns:500,smtp:10; providers are ${providers.map((known) => known.name).join(", ")}, each once`);
        limits.set(name, Number(rate));
    }
    return Result.succeed(limits);
});
const categories = optional((value) => {
    const names = value.split(",").map((name) => name.trim());
    return names.every((name) => /^[a-z0-9_-]{1,64}$/.test(name))
        ? Result.succeed(names)
        : Result.fail("must be names of a-z 0-9 _ -, separated by commas, such as orders,newsletter");
});
export const notify = {
    NOTIFY_RATE_LIMITS: rateLimits({
        description: "calls per second of each process to a provider, provider:rate separated by commas",
        defaultText: "only the provider's own limits",
        example: "apns:500,ses:14",
    }),
    NOTIFY_TEMPLATES: text({
        description: "folder of templates in Liquid: files NAME.json with title, text and html",
        defaultText: "none",
        example: "/etc/armoricore/templates",
    }),
    NOTIFY_WORKFLOWS: text({
        description: "folder of workflows: files NAME.json or NAME.yaml, validated at start",
        defaultText: "none",
        example: "/etc/armoricore/workflows",
    }),
    MAIL_RESEND_UNKNOWN: withDefault(choice("stop", "resend")({
        description: "an e-mail whose provider gave no answer and may have accepted it: stop leaves the delivery unknown, resend sends it again under the same Message-ID",
    }), "stop", "stop"),
    MAIL_RETRY_FOR: withDefault(duration({
        description: "how long an e-mail that its server defers (4yz: greylisting, a full mailbox, a rate limit) is tried again, one minute to one hour apart",
    }), Duration.hours(24), "24 h"),
    NOTIFY_CATEGORIES: categories({
        description: "categories that the preference page lists for every user, separated by commas",
        defaultText: "those of the user",
        example: "orders,newsletter",
    }),
    NOTIFY_CRITICAL_CATEGORIES: categories({
        description: "categories that ignore preferences and quiet hours, separated by commas",
        defaultText: "none",
        example: "security",
    }),
    INBOX_MAX_AGE: withDefault(duration({ description: "retention of in-app notifications" }), Duration.days(90), "90d"),
    INBOX_MAX_ITEMS: withDefault(int(1, 1_000)({ description: "maximum in-app notifications per user; the oldest are deleted first" }), 200, "200"),
    UNSUBSCRIBE_SECRET: longSecret(16)({
        description: "secret that signs links to unsubscribe, at least 16 characters; such links stay valid longer than tokens",
        defaultText: "derived from JWT_SECRET, else a random one, stored in the state",
        example: "…",
    }),
};
