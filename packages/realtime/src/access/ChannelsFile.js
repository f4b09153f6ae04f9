/**
 * `CHANNELS_FILE`: topics and their rules, as JSON.
 *
 * ```json
 * { "topics": [
 *   { "topic": "room:game-*", "policy": "members", "events": ["move"], "max_payload_bytes": 2000, "messages_per_second": 20 },
 *   { "topic": "chat:room:staff-*", "policy": "members" }
 * ] }
 * ```
 *
 * The first entry whose `topic` matches counts. Topics `room:{name}` exist only if an entry declares them.
 */
import { describeSchemaError } from "@armoricore/domain/EventCodec";
import { Result, Schema } from "effect";
/** The topics that an entry may name, and whether they are broadcast topics. */
const prefixes = ["room:", "chat:room:", "presence:room:", "comments:stream:", "media:", "dm:"];
export const EventName = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_.:-]{1,64}$/u, { expected: "1 to 64 characters of A-Z a-z 0-9 _ . : -" }));
const intBetween = (minimum, maximum) => Schema.Int.check(Schema.isBetween({ minimum, maximum }));
/** The fields that only broadcast topics (`room:`) may have. */
const broadcastFields = {
    /** Whether members see each other; default true. */
    presence: Schema.optionalKey(Schema.Boolean),
    /** The events that clients may broadcast; absent: any. */
    events: Schema.optionalKey(Schema.Array(EventName).check(Schema.isMinLength(1))),
    /** Whether the role `guest` may broadcast; default false. */
    guests_may_send: Schema.optionalKey(Schema.Boolean),
    /** The largest `payload` of a broadcast as JSON; absent: the limit of a message. */
    max_payload_bytes: Schema.optionalKey(intBetween(1, 1_048_576)),
    /** Broadcasts per second and connection, with a burst of twice as many; absent: the rate of the user. */
    messages_per_second: Schema.optionalKey(intBetween(1, 10_000)),
    /** Users that may be in the topic at the same time; it counts presence. */
    max_users: Schema.optionalKey(intBetween(1, 1_000_000)),
};
export const TopicDeclaration = Schema.Struct({
    topic: Schema.String.check(Schema.isPattern(/^\S{1,200}$/u, {
        expected: "a topic of 1 to 200 characters without white space, in which * matches any text",
    }), Schema.makeFilter((topic) => prefixes.some((prefix) => topic.startsWith(prefix)) || `must begin with one of ${prefixes.join(", ")}`)),
    policy: Schema.optionalKey(Schema.Literals(["open", "members", "authorize"])),
    ...broadcastFields,
}).check(Schema.makeFilter((declaration) => {
    if (declaration.topic.startsWith("room:")) {
        return declaration["presence"] === false && declaration["max_users"] !== undefined
            ? { path: ["max_users"], issue: "needs presence: remove one of both" }
            : undefined;
    }
    const field = Object.keys(broadcastFields).find((name) => declaration[name] !== undefined);
    return field === undefined ? undefined : { path: [field], issue: "is only for topics that begin with room:" };
}));
const File = Schema.Struct({ topics: Schema.Array(TopicDeclaration) });
const decodeFile = Schema.decodeUnknownResult(File, { onExcessProperty: "error" });
/** Fails with the path, the value and the rule of the first fault. */
export const decode = (text) => Result.flatMap(Result.mapError(Result.try(() => JSON.parse(text)), (error) => `it is not valid JSON: ${String(error)}`), (input) => Result.mapBoth(decodeFile(input), {
    onSuccess: ({ topics }) => topics,
    onFailure: (error) => describeSchemaError(error, { input, whole: "the file" }).message,
}));
/** Whether a rule sends users to `AUTHORIZE_URL`. */
export const needsHook = (topics) => topics.find(({ policy }) => policy === "authorize");
