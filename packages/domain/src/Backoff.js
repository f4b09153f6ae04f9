/** Retry schedules that every package shares. */
import { Schedule } from "effect";
/** Delays that double from `base` up to `max`, without a limit on the number of attempts. */
export const capped = (base, max) => Schedule.min([Schedule.exponential(base), Schedule.spaced(max)]);
