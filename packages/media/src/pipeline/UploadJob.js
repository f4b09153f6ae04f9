import { Clock, Duration, Effect } from "effect";
/** The state record is written after this many percent or, if the progress is slower, after this many milliseconds. */
const recordInterval = { percent: 10, millis: 5_000 };
/** Reports progress and stage timings. A failure to report is logged and never fails the job. */
export const makeProgress = (event, record, onProgress) => {
    const timings = {};
    let lastRecorded = -100;
    let recordedAt = 0;
    return {
        timings,
        report: (stage, percent) => Effect.gen(function* () {
            const rounded = Math.round(Math.min(100, Math.max(0, percent)) * 100) / 100;
            yield* onProgress(stage, rounded);
            const now = yield* Clock.currentTimeMillis;
            const isSlow = rounded > lastRecorded && now - recordedAt >= recordInterval.millis;
            if (isSlow || rounded - lastRecorded >= recordInterval.percent) {
                lastRecorded = rounded;
                recordedAt = now;
                yield* record.progress(event, stage, rounded);
            }
        }).pipe(Effect.catch((error) => Effect.logDebug("Progress could not be recorded", { stage, percent, error }))),
        timeStage: (stage, effect) => Effect.map(Effect.timed(effect), ([duration, value]) => {
            timings[stage] = Math.round(Duration.toMillis(duration));
            return value;
        }),
    };
};
/** An upload is charged once, also when it is processed several times. */
export const makeCharge = (event, record, quota) => Effect.fnUntraced(function* (usage) {
    const { media_id, user_id } = event.payload;
    const state = yield* record.find(media_id);
    if (state?.source_event_id === event.event_id && state.charged === true)
        return;
    yield* quota.charge(user_id, { eventId: event.event_id, ...usage });
    yield* record.markCharged(event);
});
