/** The suppression list of e-mail. */
import { Reason } from "@armoricore/domain/Suppression";
import { Schema } from "effect";
export { Entry as Suppression } from "@armoricore/domain/Suppression";
/** The address or the hash of an entry, and its category. */
export const SuppressionSubject = {
    address: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(320))),
    hash: Schema.optionalKey(Schema.String),
    category: Schema.optionalKey(Schema.String),
};
export const SuppressionFilter = {
    address: Schema.optionalKey(Schema.String),
    hash: Schema.optionalKey(Schema.String),
    reason: Schema.optionalKey(Reason),
    /** The cursor `next` of the previous page. */
    after: Schema.optionalKey(Schema.String),
    limit: Schema.optionalKey(Schema.Int),
};
