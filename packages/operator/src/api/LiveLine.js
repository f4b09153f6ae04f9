/** What happens in the installation right now: events of the bus and log lines of every process. */
import { Schema } from "effect";
export const LiveLine = Schema.Union([
    /** The event as published. */
    Schema.TaggedStruct("Event", { event: Schema.Json }),
    /** `line` is a flat object as in JSON logs, without secrets. */
    Schema.TaggedStruct("Log", { node: Schema.String, line: Schema.Json }),
    /** The reader was too slow, or the connection to the bus was lost: lines are missing here. */
    Schema.TaggedStruct("Gap", {}),
]);
export const LiveSource = Schema.Literals(["events", "logs"]);
export const LiveFilter = {
    /** Default: both. */
    sources: Schema.optionalKey(Schema.Array(LiveSource)),
    /** Only events of these types; default: all. */
    types: Schema.optionalKey(Schema.Array(Schema.String)),
};
