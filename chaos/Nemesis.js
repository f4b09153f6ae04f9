/** The plan of faults: drawn from a seed, so that a run can be made again. */
import { Effect, Random } from "effect";
/** This many faults, one after the other, with a short pause between them. Each fault is undone before the next. */
export const injectFaults = (faults, count) => Effect.gen(function* () {
    const done = [];
    // Each kind once, then as the dice fall.
    const all = yield* Random.shuffle(faults);
    const first = [...all].sort((a, b) => Number(b.isRequired ?? false) - Number(a.isRequired ?? false)).slice(0, count);
    const order = [...(yield* Random.shuffle(first)), ...[...all].filter((fault) => !first.includes(fault))];
    for (let index = 0; index < count; index++) {
        const dice = yield* Random.nextIntBetween(0, faults.length, { halfOpen: true });
        const fault = order[index] ?? faults[dice];
        if (fault === undefined)
            break;
        yield* fault.run;
        done.push(fault.name);
        yield* Effect.sleep(yield* Random.nextIntBetween(200, 700));
    }
    return done;
});
