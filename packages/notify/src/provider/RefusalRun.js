/** Equal refusals in a row of so many subjects are not their own fault. */
export const maxUncertain = 10;
export const maxCertain = 100;
/** From so many on, certain refusals are held until a message is accepted. */
const maxCountedCertain = 10;
/** An acceptance proves for this long that the settings are right. */
const evidenceMillis = 600_000;
/** The subjects that are remembered. */
const maxSubjects = 1_000;
export const make = () => ({
    reason: "",
    subjects: new Map(),
    counted: new Map(),
    refusedAt: 0,
    acceptedAt: undefined,
});
export const accept = (run, now) => {
    run.acceptedAt = now;
    if (run.subjects.size > 0)
        clear(run);
};
export const clear = (run) => {
    run.reason = "";
    run.subjects.clear();
    run.counted.clear();
};
export const isLong = ({ subjects }) => subjects.size >= maxUncertain;
/** `maxHoldMillis`: how long a lone recipient is held. */
export const judge = (run, { isCertain, reason, subject }, message, now, maxHoldMillis) => {
    // A token that is refused once a day is no run.
    if (run.reason !== reason || now - run.refusedAt > Math.max(maxHoldMillis, evidenceMillis))
        clear(run);
    run.reason = reason;
    run.refusedAt = now;
    const refusedAt = run.subjects.get(subject) ?? now;
    if (run.subjects.size < maxSubjects)
        run.subjects.set(subject, refusedAt);
    const { size } = run.subjects;
    if (size >= (isCertain ? maxCertain : maxUncertain)) {
        // An acceptance before the run is no evidence for the time after it.
        run.acceptedAt = undefined;
        return "pause";
    }
    const isEvident = isCertain
        ? size <= maxCountedCertain
        : run.acceptedAt !== undefined && now - run.acceptedAt <= evidenceMillis;
    if (isEvident) {
        run.counted.set(message.deliveryId, message);
        return "count";
    }
    return now - refusedAt >= maxHoldMillis ? "count_alone" : "hold";
};
/** The messages whose refusals are reversed; each is returned once. */
export const drainCounted = ({ counted }) => {
    const messages = [...counted.values()];
    counted.clear();
    return messages;
};
