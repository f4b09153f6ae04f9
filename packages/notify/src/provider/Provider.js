import { Context, Effect, Layer, Schema } from "effect";
import { hash } from "node:crypto";
/** The token or address is invalid for ever: the provider says so of this recipient beyond doubt. */
export class InvalidTarget extends Schema.TaggedError()("InvalidTarget", {
    /** Lower case with underscores, for example `unregistered`. */
    reason: Schema.String,
    message: Schema.String,
    /** Epoch milliseconds. A token that was registered later is a different one. */
    invalidSince: Schema.optionalKey(Schema.Finite),
}) {
}
/**
 * The provider refuses this recipient or this message, and wrong settings would get the same response. `RefusalRun`
 * decides by the responses to others.
 */
export class Refusal extends Schema.TaggedError()("Refusal", {
    /** The party at fault if others are accepted. */
    fault: Schema.Literals(["recipient", "message"]),
    /** Lower case with underscores, for example `sender_id_mismatch`. */
    reason: Schema.String,
    /** The setting to check if none is accepted. */
    setting: Schema.String,
    message: Schema.String,
    /** The token or address is invalid for ever if others are accepted. */
    isTargetInvalid: Schema.optionalKey(Schema.Boolean),
    /** The provider asks to try again later, so the message is deferred instead of failed. */
    isTemporary: Schema.optionalKey(Schema.Boolean),
}) {
}
/**
 * The configuration at the provider excludes targets of one kind. Only the response to a call tells the kind of a target.
 */
export class TargetKindMisconfigured extends Schema.TaggedError()("TargetKindMisconfigured", {
    /** The label of a metric, lower case with underscores. */
    kind: Schema.String,
    message: Schema.String,
}) {
}
/** The request may have reached the provider, and no response arrived. */
export class UnknownOutcome extends Schema.TaggedError()("UnknownOutcome", {
    message: Schema.String,
}) {
}
/** The cause of one response by itself; `RefusalRun` corrects it by the responses to others. */
export const faultOf = (error) => {
    switch (error._tag) {
        case "InvalidTarget":
            return "recipient";
        case "PermanentError":
            return "message";
        case "Refusal":
            return error.fault;
        case "ConfigurationError":
        case "TargetKindMisconfigured":
            return "us";
        case "TransientError":
            return "provider";
        case "UnknownOutcome":
            return "unknown";
    }
};
/**
 * The collapse key as a header value: the publisher's key if it is printable ASCII, else its digest; without a key the
 * UUID of the delivery.
 */
export const collapseIdOf = ({ collapseKey, uuid }) => {
    if (collapseKey === undefined)
        return uuid;
    return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(collapseKey)
        ? collapseKey
        : hash("sha256", collapseKey).slice(0, 32);
};
export class ProviderRegistry extends Context.Service()("@armoricore/notify/ProviderRegistry") {
    /** Providers named in `order` come first, in that order; the others in the order of registration. */
    static layer = (order = []) => Layer.sync(ProviderRegistry, () => {
        const providers = [];
        const position = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length);
        return {
            register: (provider) => Effect.sync(() => {
                providers.push(provider);
                providers.sort((a, b) => position(a) - position(b));
            }),
            forChannel: (channel) => providers.filter(({ channels }) => channels.includes(channel)),
        };
    });
}
/** The Layer of a provider: creates and registers it. */
export const layer = (make) => Layer.effectDiscard(Effect.flatMap(make, (provider) => Effect.flatMap(ProviderRegistry, (registry) => registry.register(provider))));
