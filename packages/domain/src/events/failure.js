/** The error of a `*.failed` event: a stable code for programs, a sentence for people. */
import { Schema } from "effect";
export const Failure = Schema.Struct({
    code: Schema.String,
    message: Schema.String,
});
