/** Query parameters of endpoints. */
import { Schema, SchemaTransformation } from "effect";
/** A query parameter. If it is repeated, the first value counts. */
export const firstOf = (description) => Schema.optionalKey(Schema.Union([Schema.String, Schema.Array(Schema.String)])
    .annotate({ description })
    .pipe(Schema.decodeTo(Schema.String, SchemaTransformation.transform({
    decode: (value) => (typeof value === "string" ? value : (value[0] ?? "")),
    encode: (value) => value,
}))));
