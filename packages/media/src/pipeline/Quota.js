/**
 * Limits how much each user may upload. The composition root chooses the policy. The pipeline charges an upload after it
 * has measured size and length itself, so clients cannot understate them.
 */
import { encodeId } from "@armoricore/domain/EncodedId";
import * as Collection from "@armoricore/state/Collection";
import { KeyValue } from "@armoricore/state/KeyValue";
import { Clock, Context, Duration, Effect, Layer, Option, Schema } from "effect";
import { failure } from "./Failures.ts";
export class Quota extends Context.Service()("@armoricore/media/Quota") {
    /** No limits. */
    static layerNoop = Layer.succeed(Quota, { charge: () => Effect.void });
    /** Limits per user and UTC day. */
    static layerDaily = (limits) => Layer.effect(Quota, makeDaily(limits));
}
const makeDaily = Effect.fnUntraced(function* (limits) {
    const usages = yield* Collection.make(quotaUsages);
    const exceedsLimits = (charges) => {
        const sum = (unit) => charges.reduce((total, charge) => total + charge[unit], 0);
        return charges.length > limits.uploads || sum("bytes") > limits.bytes || sum("seconds") > limits.seconds;
    };
    return Quota.of({
        charge: Effect.fn("Quota.charge")(function* (userId, { bytes, eventId, seconds }) {
            const isExceeded = yield* usages.modifyOrRetry(encodeId(userId), (current) => Effect.map(Clock.currentTimeMillis, (now) => {
                const day = new Date(now).toISOString().slice(0, 10);
                const usage = Option.getOrUndefined(current)?.value;
                const today = usage?.day === day ? usage.charges : {};
                if (today[eventId] !== undefined)
                    return [false, Option.none()];
                const charges = { ...today, [eventId]: { bytes, seconds } };
                return exceedsLimits(Object.values(charges))
                    ? [true, Option.none()]
                    : [false, Option.some({ day, charges })];
            }));
            if (isExceeded)
                return yield* failure("quota_exceeded");
        }),
    });
});
const QuotaUsage = Schema.Struct({
    /** The UTC day as `YYYY-MM-DD`. */
    day: Schema.String,
    /** Charges by event id. */
    charges: Schema.Record(Schema.String, Schema.Struct({ bytes: Schema.Finite, seconds: Schema.Finite })),
});
/** One document per user. */
export const quotaUsages = { bucket: { name: "media_usage", maxAge: Duration.days(3) }, schema: QuotaUsage };
