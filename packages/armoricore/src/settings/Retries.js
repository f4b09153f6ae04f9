import { Duration, Result } from "effect";
import { duration, int, parseJson, optional, parseDuration, withDefault } from "./Setting.ts";
/** Services with a retry policy. `webhook` posts result events to `WEBHOOK_URL`. */
export const retryingServices = ["media", "notify", "ai", "realtime", "webhook"];
const maxAttemptsLimit = 100;
const parseOverride = (service, value) => {
    const policy = {};
    for (const [field, part] of Object.entries(value)) {
        if (field === "max_attempts") {
            if (!Number.isInteger(part) || part < 1 || part > maxAttemptsLimit)
                return Result.fail(`must have a whole number from 1 to ${maxAttemptsLimit} as max_attempts; ${service} has ${JSON.stringify(part)}`);
            policy.max_attempts = part;
        }
        else if (field === "base" || field === "cap") {
            const time = parseDuration(String(part));
            if (Result.isFailure(time))
                return Result.fail(`must have durations such as "2 s" as base and cap; ${service} has ${JSON.stringify(part)}`);
            policy[field] = time.success;
        }
        else {
            return Result.fail(`must have only max_attempts, base and cap; ${service} also has ${JSON.stringify(field)}`);
        }
    }
    return Result.succeed(policy);
};
const overridesByService = optional((text) => Result.flatMap(parseJson(text), (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
        return Result.fail('must be a JSON object such as {"notify":{"max_attempts":8}}');
    const overrides = {};
    for (const [name, part] of Object.entries(value)) {
        const service = retryingServices.find((known) => known === name);
        if (service === undefined || typeof part !== "object" || part === null)
            return Result.fail(`must map services (${retryingServices.join(", ")}) to objects; ${JSON.stringify(name)} does not`);
        const policy = parseOverride(service, part);
        if (Result.isFailure(policy))
            return Result.fail(policy.failure);
        overrides[service] = policy.success;
    }
    return Result.succeed(overrides);
}));
export const retries = {
    RETRY_MAX_ATTEMPTS: withDefault(int(1, maxAttemptsLimit)({ description: "attempts at a message that fails with a transient error" }), 5, "5"),
    RETRY_BASE: withDefault(duration({ description: "delay before the second attempt; it doubles with each attempt" }), Duration.seconds(1), "1 s"),
    RETRY_CAP: withDefault(duration({ description: "maximum delay between two attempts" }), Duration.seconds(60), "60 s"),
    RETRY_SERVICES: overridesByService({
        description: `overrides per service (${retryingServices.join(", ")}), as JSON; missing fields use the values above`,
        defaultText: "none; the webhook has 16 attempts over about three hours",
        example: '{"notify":{"max_attempts":8,"base":"2 s","cap":"5 min"}}',
    }),
};
export const toRetryPolicy = ({ max_attempts: maxAttempts, ...times } = {}) => ({
    ...times,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
});
/** Overrides by service. */
export const retryPolicies = (policies = {}) => new Map(Object.entries(policies).map(([service, policy]) => [service, toRetryPolicy(policy)]));
