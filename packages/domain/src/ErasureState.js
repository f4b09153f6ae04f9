/** The records that services write about the erasure of a user. Nothing in them names the user, except by a hash. */
import { Schema } from "effect";
import { sha256 } from "./DeterministicId.ts";
import { Timestamp } from "./JsonCodecs.ts";
/** The progress of one request, under its event id. Every service writes its own part. */
export const ErasureState = Schema.Struct({
    requested_at: Timestamp,
    services: Schema.Record(Schema.String, Schema.Struct({
        /** By store. */
        removed: Schema.Record(Schema.String, Schema.Int),
        /** A pass over all stores of the service found nothing. */
        is_clean: Schema.Boolean,
    })),
});
/** The newest request about a user, under {@link erasedUserKey}: what was requested before it is dropped. */
export const ErasedUser = Schema.Struct({ requested_at: Timestamp });
export const erasedUserKey = (userId) => `user.${sha256(userId)}`;
/** A service that erases users, under its name. Written at its start. */
export const ErasingService = Schema.Struct({ stores: Schema.Array(Schema.String) });
