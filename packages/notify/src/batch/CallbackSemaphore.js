export const make = (permits) => {
    let available = permits;
    const waiting = new Set();
    return {
        tryAcquire: () => {
            if (available === 0)
                return false;
            available--;
            return true;
        },
        release: () => {
            available++;
            for (const then of waiting) {
                waiting.delete(then);
                return then();
            }
        },
        onAvailable: (then) => void waiting.add(then),
        cancelWait: (then) => void waiting.delete(then),
    };
};
