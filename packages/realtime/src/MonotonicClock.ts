/**
 * Time that only goes forward, whatever is done to the machine's date: for rates, patience and silence. When somebody sets
 * the date, nobody shall be idle, lost or over a limit for it.
 */
import type { Clock } from "effect"

/** Milliseconds since some moment: good for differences alone. */
export const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
