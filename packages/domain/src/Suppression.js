/** An entry of the suppression list of e-mail. `notify` and operators write it. */
import { Schema } from "effect";
/** In the order of their weight: a complaint is not replaced by a bounce. */
export const reasons = ["unsubscribed", "manual", "bounced", "complained"];
export const Reason = Schema.Literals(reasons);
/** The stored document; its key contains the hash and the category. */
export const Suppression = Schema.Struct({
    reason: Schema.String,
    /** When the entry was added, epoch milliseconds. */
    since: Schema.Finite,
    /** When a reason was last reported again, epoch milliseconds. */
    last_at: Schema.optionalKey(Schema.Finite),
    /** Where the reason comes from: a provider, `reader`, or the user id of an operator. */
    source: Schema.optionalKey(Schema.String),
    /** The reply of the server or the report of the provider. */
    evidence: Schema.optionalKey(Schema.String),
    /** The delivery that led to the entry. */
    delivery_id: Schema.optionalKey(Schema.String),
});
export const Entry = Schema.Struct({
    /** SHA-256 of the address in lower case, 64 hex digits. */
    hash: Schema.String,
    /** Only e-mail of this category is suppressed; absent: all e-mail. */
    category: Schema.optionalKey(Schema.String),
    ...Suppression.fields,
});
