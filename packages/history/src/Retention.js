/** The retention of a history, the same on every adapter. */
import { Duration } from "effect";
export const defaults = { maxAge: Duration.days(7), maxPerRoom: 1000 };
