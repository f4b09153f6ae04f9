/** Payloads of `user.*`. */
import { Schema } from "effect";
import { UserId } from "../Ids.ts";
import { Timestamp } from "../JsonCodecs.ts";
/** A backend erases a person: everything that is stored about the user. */
export const UserEraseRequested = Schema.Struct({ user_id: UserId });
/** Nothing of the user is left in the stores of the running services. */
export const UserErased = Schema.Struct({
    user_id: UserId,
    /** How much was removed, by store: `{"media": 2, "messages": 14}`. */
    removed: Schema.Record(Schema.String, Schema.Int),
    erased_at: Timestamp,
});
