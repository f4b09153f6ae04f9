import { Schema } from "effect";
/** A step of the demo failed. `message` is one sentence for the terminal or the page. */
export class DemoFailed extends Schema.TaggedError()("DemoFailed", { message: Schema.String }) {
}
