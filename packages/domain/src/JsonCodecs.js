/**
 * Schemas for JSON from other languages, mainly from PHP's `json_encode`: an empty object arrives as `[]`, an id may be an
 * integer, an absent value may be `null`, and a number from a database may be a string.
 */
import { Option, Schema, SchemaGetter, SchemaTransformation } from "effect";
import { isTraceparent } from "./Traceparent.ts";
export { Timestamp } from "./Timestamp.ts";
const idText = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,128}$/u, { expected: "1 to 128 characters of A-Z a-z 0-9 _ -" }));
/** `[A-Za-z0-9_-]{1,128}`; an integer is taken as its decimal text. */
export const Id = Schema.Union([idText, Schema.Int]).pipe(Schema.decodeTo(idText, SchemaTransformation.transform({ decode: String, encode: (text) => text })));
/** All characters except white space, control characters, bidirectional controls and half surrogate pairs. */
const userIdText = Schema.String.check(Schema.isPattern(/^[!-~\u00a1-\u061b\u061d-\u167f\u1681-\u1fff\u200b-\u200d\u2010-\u2027\u2030-\u205e\u2060-\u2065\u206a-\u2fff\u3001-\ud7ff\ue000-\ufefe\uff00-\u{10ffff}]{1,128}$/u, {
    expected: "1 to 128 characters without white space or control characters",
}));
/** The id of a user as identity providers issue it: `auth0|5f…`, an e-mail address, a URN. An integer is its decimal text. */
export const UserId = Schema.Union([userIdText, Schema.Int]).pipe(Schema.decodeTo(userIdText, SchemaTransformation.transform({ decode: String, encode: (text) => text })));
const uuidText = Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u, { expected: "a UUID" }));
/** A UUID of any version; upper case is read as lower case. */
export const Uuid = Schema.String.check(Schema.isPattern(/^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/u, {
    expected: "a UUID",
})).pipe(Schema.decodeTo(uuidText, SchemaTransformation.transform({ decode: (text) => text.toLowerCase(), encode: (text) => text })));
/** An empty, `.` or `..` segment, or a control character. */
const unsafeSegment = /\/\.{0,2}(?:\/|$)|\p{Cc}/u;
const hasSafeSegments = (path) => !unsafeSegment.test(path.slice("s3:/".length));
/** `s3://bucket/key`, for local storage too; no segment of the key is empty, `.` or `..`. */
export const ObjectPath = Schema.String.check(Schema.isPattern(/^s3:\/\/[A-Za-z0-9][A-Za-z0-9._-]{1,62}\/.{1,1024}$/u, {
    expected: "an object path such as s3://bucket/key",
}), Schema.makeFilter((path) => hasSafeSegments(path) ? undefined : "no part of an object's key may be empty, . or .., or hold control characters"));
/** A field that may be absent; `null` counts as absent. */
export const optionalNullable = (schema) => Schema.optionalKey(Schema.NullOr(schema)).pipe(Schema.decodeTo(Schema.optionalKey(Schema.toType(schema)), {
    decode: SchemaGetter.transformOptional(Option.filter((value) => value !== null)),
    encode: SchemaGetter.transformOptional((value) => value),
}));
/** A W3C trace context that may be absent; a value of another form counts as absent. */
export const OptionalTraceparent = Schema.optionalKey(Schema.NullOr(Schema.String)).pipe(Schema.decodeTo(Schema.optionalKey(Schema.String.check(Schema.makeFilter(isTraceparent, { expected: "a W3C traceparent" }))), {
    decode: SchemaGetter.transformOptional(Option.filter((value) => value !== null && isTraceparent(value))),
    encode: SchemaGetter.transformOptional((value) => value),
}));
const EmptyArray = Schema.Tuple([]);
/** An object; PHP's empty `[]` is read as `{}`. */
export const PhpObject = (schema) => Schema.Union([schema, EmptyArray]).pipe(Schema.decodeTo(Schema.toType(schema), SchemaTransformation.transform({
    decode: (value) => (Array.isArray(value) ? {} : value),
    encode: (value) => value,
})));
/** Any JSON object: the free metadata of a publisher. */
export const Metadata = PhpObject(Schema.Record(Schema.String, Schema.Json));
const intFromJson = (minimum) => {
    const wholeNumber = { expected: `a whole number of ${minimum} or more` };
    return Schema.Union([
        Schema.Number.check(Schema.isInt(wholeNumber)),
        Schema.String.check(Schema.isPattern(/^[0-9]{1,15}$/u, wholeNumber)),
    ])
        .annotate(wholeNumber)
        .pipe(Schema.decodeTo(Schema.Int.check(Schema.isGreaterThanOrEqualTo(minimum, wholeNumber)), SchemaTransformation.transform({ decode: Number, encode: (value) => value })));
};
/** A whole number ≥ 0; digits as text are read as the number. */
export const NonNegativeIntFromJson = intFromJson(0);
/** A whole number ≥ 1; digits as text are read as the number. */
export const PositiveIntFromJson = intFromJson(1);
