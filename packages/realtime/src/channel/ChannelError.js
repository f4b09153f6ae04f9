/**
 * An error reply `{reason, …}` of a channel; the membership continues. `docs/clients.md` lists every reason for the authors
 * of clients, with the meanings below.
 */
import { Schema, Struct } from "effect";
/** Reasons of this server. */
const ownReasons = {
    unauthorized: "the identity of the token may not do this; `message` explains",
    invalid_payload: "`path` names the invalid field, `message` explains",
    unknown_event: "the channel has no `event` of this name",
    too_large: "the message is larger than `limit` bytes",
    rate_limit: "too many messages; send again after `retry_after_ms`",
    unavailable: "a dependency of the server does not respond; try again later",
    room_full: "the topic has its maximum number of users, `limit`; try again later",
    removed: "this message was removed; it does not come back",
    not_found: "no message with this `id` is stored: it was removed, or it is too old",
    edit_expired: "the author may no longer edit this message; `limit_ms` is the time for edits",
    too_many_reactions: "the message has the most reactions or different emojis that it can have",
};
/** Reasons of Phoenix, spelled exactly as Phoenix sends them, because clients compare these strings. */
const phoenixReasons = {
    "unmatched topic": "Phoenix's reason: no channel matches the topic, or the topic is not joined",
    "too many channels joined": "Phoenix's reason: the socket has joined its maximum number of topics",
    "join crashed": "Phoenix's reason: the join failed because of a fault of the server; the client joins again automatically",
};
/** Every reason with its meaning for a client. */
export const reasons = { ...ownReasons, ...phoenixReasons };
export class ChannelError extends Schema.TaggedError()("ChannelError", {
    reason: Schema.Literals(Struct.keys(reasons)),
    /** More fields of the reply. */
    details: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
}) {
    get message() {
        return this.reason;
    }
    /** The body of the error reply. */
    get response() {
        return { reason: this.reason, ...this.details };
    }
}
export const unauthorized = (message) => new ChannelError({ reason: "unauthorized", details: { message } });
export const invalidPayload = (path, message) => new ChannelError({ reason: "invalid_payload", details: { path, message } });
export const unknownEvent = (event) => new ChannelError({ reason: "unknown_event", details: { event } });
export const tooLarge = (limit) => new ChannelError({ reason: "too_large", details: { limit } });
export const rateLimit = (retryAfterMillis) => new ChannelError({ reason: "rate_limit", details: { retry_after_ms: retryAfterMillis } });
/** The same reply without an `Error`, whose stack trace is too expensive to capture for every message of a flood. */
export const rateLimitResponse = (retryAfterMillis) => ({
    reason: "rate_limit",
    retry_after_ms: retryAfterMillis,
});
export const unavailable = new ChannelError({ reason: "unavailable" });
export const unmatchedTopic = new ChannelError({ reason: "unmatched topic" });
export const tooManyChannels = new ChannelError({ reason: "too many channels joined" });
export const joinCrashed = new ChannelError({ reason: "join crashed" });
