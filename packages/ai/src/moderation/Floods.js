/** Remembers this many users and texts; least recently active ones are dropped first. */
const maxTracked = 10_000;
/** The same text counts within this many windows. */
const repeatWindows = 6;
/** Short replies such as `yes` repeat in normal conversations. */
const minRepeatedLength = 4;
export const make = ({ floodThreshold, repeatThreshold, window }) => {
    const byRoom = new Map();
    const byText = new Map();
    /** Floods whose end is not reported yet. */
    const running = new Set();
    let finished = [];
    const finish = (burst) => {
        if (!running.delete(burst))
            return;
        if (burst.reported > 0 && burst.count > burst.reported)
            finished.push({ reason: burst.reason, flood: floodOf(burst), message: burst.lastMessage });
    };
    /** Returns the burst of the message, with the message counted. */
    const track = (bursts, key, created) => {
        const burst = bursts.get(key) ?? created;
        bursts.delete(key);
        bursts.set(key, burst);
        const oldest = bursts.entries().next().value;
        if (bursts.size > maxTracked && oldest !== undefined) {
            bursts.delete(oldest[0]);
            finish(oldest[1]);
        }
        return burst;
    };
    /** Counts a message once, however often it is delivered. */
    const count = (burst, message, at, now) => {
        const { reason, recent, threshold } = burst;
        if (recent.some(({ id }) => id === message.id)) {
            return burst.due === 0 ? undefined : { reason, flood: floodOf(burst), isDue: burst.count === threshold };
        }
        while (recent[0] !== undefined && Math.abs(at - recent[0].at) >= burst.window)
            recent.shift();
        recent.push({ id: message.id, at });
        if (recent.length < threshold) {
            finish(burst);
            burst.due = 0;
            return undefined;
        }
        if (burst.due === 0) {
            Object.assign(burst, { since: recent[0]?.at ?? at, count: recent.length, due: recent.length, reported: 0 });
            running.add(burst);
        }
        else
            burst.count++;
        if (recent.length > threshold * 2)
            recent.shift();
        burst.lastMessage = message;
        burst.receivedAt = now;
        return { reason, flood: floodOf(burst), isDue: burst.count >= burst.due };
    };
    const onFlagged = (burst) => {
        if (burst === undefined)
            return;
        burst.reported = burst.count;
        while (burst.due <= burst.count)
            burst.due *= 2;
    };
    return {
        /** `text` is the folded text, `now` the time of the server; both times in epoch milliseconds. */
        detect: (message, text, now) => {
            const { conversationId, id, kind, userId } = message;
            // A backlog arrives at once and is no flood, so the time of writing counts.
            const at = message.writtenAtMillis ?? now;
            const target = { kind, id, conversationId, userId };
            const burstOf = (bursts, key, reason) => track(bursts, key, {
                ...(reason === "flood"
                    ? { reason, window, threshold: floodThreshold }
                    : { reason, window: window * repeatWindows, threshold: repeatThreshold }),
                recent: [],
                since: at,
                count: 0,
                due: 0,
                reported: 0,
                lastMessage: target,
                receivedAt: now,
            });
            const burst = burstOf(byRoom, `${kind} ${conversationId} ${userId}`, "flood");
            const flood = count(burst, target, at, now);
            const repeating = text.length < minRepeatedLength ? undefined : burstOf(byText, `${kind} ${userId} ${text}`, "repeated");
            const repeated = repeating === undefined ? undefined : count(repeating, target, at, now);
            if (repeated?.isDue === true)
                onFlagged(repeating);
            else if (repeated === undefined && flood?.isDue === true)
                onFlagged(burst);
            return [
                ...(repeated === undefined ? [] : [repeated]),
                ...(flood === undefined ? [] : [repeated === undefined ? flood : { ...flood, isDue: false }]),
            ];
        },
        /** Removes and returns the floods that ended. `everything`: those that still run too. */
        takeFinished: (now, everything = false) => {
            for (const burst of running)
                if (everything || now - burst.receivedAt >= burst.window)
                    finish(burst);
            const taken = finished;
            finished = [];
            return taken;
        },
    };
};
const floodOf = ({ count: messages, since }) => ({
    count: messages,
    since: new Date(since).toISOString(),
});
