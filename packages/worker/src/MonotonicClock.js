/** Milliseconds since an arbitrary moment: only differences have a meaning. */
export const millis = (clock) => Number(clock.monotonicTimeNanosUnsafe() / 1000000n);
