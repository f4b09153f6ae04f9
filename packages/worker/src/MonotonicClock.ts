/** Monotonic milliseconds, unaffected by changes of the machine's date: for rates, timeouts and liveness. */
import type { Clock } from "effect"

/** Milliseconds since an arbitrary moment: only differences have a meaning. */
export const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
