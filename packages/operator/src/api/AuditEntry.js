/** An entry of the audit log: the user, the action, the time and the outcome. Denied attempts have entries too. */
import { Schema } from "effect";
export const AuditEntry = Schema.Struct({
    id: Schema.String,
    /** RFC 3339. */
    at: Schema.String,
    /** The token's user; absent if no token could be read. */
    user_id: Schema.optionalKey(Schema.String),
    /** The procedure's name, for example `ReplayDeadLetter`. */
    action: Schema.String,
    /** The payload; long texts are cut. */
    payload: Schema.Json,
    /** `started` remains if the process ended during the action. */
    outcome: Schema.Literals(["started", "done", "failed", "refused"]),
    /** The message of a failure or denial. */
    detail: Schema.optionalKey(Schema.String),
    /** Similar denials that were not recorded, to limit the log. */
    suppressed: Schema.optionalKey(Schema.Finite),
});
export const AuditFilter = {
    user_id: Schema.optionalKey(Schema.String),
    action: Schema.optionalKey(Schema.String),
    outcome: Schema.optionalKey(AuditEntry.fields.outcome),
    /** Only entries older than the one with this id. */
    after: Schema.optionalKey(Schema.String),
    /** Default 100, at most 1,000. */
    limit: Schema.optionalKey(Schema.Int),
};
