import { Option, Schema } from "effect";
const Fields = Schema.Record(Schema.String, Schema.Unknown);
/** Parses the JSON object of a secret. A value that is not a string becomes its JSON text. */
export const parseSecrets = (value) => Option.map(Schema.decodeUnknownOption(Fields)(value), (fields) => Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, typeof field === "string" ? field : JSON.stringify(field)])));
