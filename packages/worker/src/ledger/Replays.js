import { sha256 } from "@armoricore/domain/DeterministicId";
import { Effect, Option, Schema } from "effect";
/** The rights of a replayed message. */
export const Replay = Schema.Struct({
    /** The only consumer that handles the message; absent: every consumer of its address. */
    consumer: Schema.optionalKey(Schema.String),
    /** A dead letter that stays until a consumer has handled the message: the original of an edited body. */
    original: Schema.optionalKey(Schema.String),
});
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Replay));
export const make = (bucket, kv) => ({
    record: (message, replay) => Effect.asVoid(kv.put(bucket, keyOf(message), JSON.stringify(replay))),
    find: (message) => Effect.map(kv.get(bucket, keyOf(message)), Option.flatMap(({ value }) => decode(value))),
});
/** Hashes the whole message, so that a record cannot be reused for another one. */
const keyOf = ({ body, id }) => `replay:${sha256(`${id.length}:${id}\n${Buffer.from(body).toString("latin1")}`)}`;
