/** The in-app inbox of a user: what a bell on a page shows. `realtime` writes it. */
import { Schema } from "effect";
/** One notification in the inbox. Written only from validated events, so ids and times are plain strings. */
export const InboxItem = Schema.Struct({
    /** The delivery: the same for every attempt. */
    id: Schema.String,
    /** Increases within the inbox; a client passes the last one as `since` when it joins again. */
    seq: Schema.Int,
    notification_id: Schema.String,
    title: Schema.String,
    body: Schema.String,
    data: Schema.Record(Schema.String, Schema.Json),
    category: Schema.optionalKey(Schema.String),
    /** The user whose action led to it. */
    actor: Schema.optionalKey(Schema.String),
    /** RFC 3339, like the other times. */
    created_at: Schema.String,
    /** Absent: unread. */
    read_at: Schema.optionalKey(Schema.String),
    /** Present: the user put it away; joins and lists leave it out unless they ask for it. */
    archived_at: Schema.optionalKey(Schema.String),
});
/** The whole inbox of one user, ascending by `seq`. */
export const InboxState = Schema.Struct({
    /** The `seq` of the newest item ever; never used again. */
    last_seq: Schema.Int,
    items: Schema.Array(InboxItem),
});
/** Title, body and data of an item together, in bytes of JSON. */
export const maxItemBytes = 16_384;
