/**
 * A compressed form for thousands of segments. The size of a state document is limited to that of a NATS message, 1 MB by
 * default, and the segment list of a long video with six audio tracks is larger.
 */
import { deflateSync, inflateSync } from "node:zlib";
import { Effect, Schema } from "effect";
/** Columns compress better than rows. */
const Columns = Schema.fromJsonString(Schema.Struct({
    names: Schema.Array(Schema.String),
    seconds: Schema.Array(Schema.Finite),
    bytes: Schema.Array(Schema.Int),
    starts: Schema.optionalKey(Schema.Array(Schema.NullOr(Schema.Finite))),
}));
/** Shorter lists stay readable JSON. */
const minSegments = 500;
/** Returns short lists unchanged, and lists with I-frames, because a chunk never has many video segments. */
export const compress = (segments) => {
    if (segments.length < minSegments || segments.some(({ iFrameSegments = [] }) => iFrameSegments.length > 0))
        return segments;
    const columns = {
        names: segments.map(({ name }) => name),
        seconds: segments.map(({ seconds }) => seconds),
        bytes: segments.map(({ bytes }) => bytes),
        starts: segments.map(({ start }) => start ?? null),
    };
    return deflateSync(JSON.stringify(columns)).toString("base64");
};
/** Dies if the text was not written by `compress`. */
export const decompress = Effect.fnUntraced(function* (compressed) {
    if (typeof compressed !== "string")
        return compressed;
    const text = yield* Effect.sync(() => inflateSync(Buffer.from(compressed, "base64")).toString());
    const { bytes, names, seconds, starts = [] } = yield* Effect.orDie(Schema.decodeEffect(Columns)(text));
    return names.map((name, index) => {
        const start = starts[index];
        return {
            name,
            seconds: seconds[index] ?? 0,
            bytes: bytes[index] ?? 0,
            ...(start === undefined || start === null ? {} : { start }),
            iFrameSegments: [],
        };
    });
});
