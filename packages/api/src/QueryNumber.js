/** Numbers in query parameters. */
import { Effect } from "effect";
import { problem } from "./Problem.ts";
/** A query parameter; absent if it was not sent. */
export const wholeNumber = (name, text, minimum, maximum = Number.MAX_SAFE_INTEGER) => {
    if (text === undefined)
        return Effect.succeed(undefined);
    const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum)
        return Effect.succeed(value);
    const range = maximum === Number.MAX_SAFE_INTEGER ? `${minimum} or more` : `${minimum} to ${maximum}`;
    return Effect.fail(problem(422, "invalid", `${name} must be a whole number, ${range}`, name));
};
