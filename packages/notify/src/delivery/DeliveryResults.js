import { Effect } from "effect";
import { summaryOf } from "./PlannedDelivery.ts";
import * as Metrics from "../NotifyMetrics.ts";
import * as InvalidTokens from "../request/InvalidTokens.ts";
/** All results belong to one notification. Repeated results return the same events. */
export const record = (notifications, notificationId, results) => {
    const updates = results.map(({ final, delivery }) => ({
        index: delivery.index,
        summary: summaryOf(delivery.channel, final),
        targetInvalid: final.target_invalid,
        invalidSince: final.invalid_since,
    }));
    const invalidTokens = results.flatMap(({ final, delivery: { notification, planned } }) => final.target_invalid === true ? (InvalidTokens.eventOf(notification, planned, final) ?? []) : []);
    return Effect.andThen(countResults(results), Effect.map(notifications.applyUpdates(notificationId, updates), (outcomes) => invalidTokens.length === 0 ? outcomes : [...invalidTokens, ...outcomes]));
};
const labelsOf = ({ final, delivery }) => ({
    channel: delivery.channel,
    provider: final.provider ?? "none",
    status: final.status,
});
const countResults = (results) => {
    const [only] = results;
    if (only !== undefined && results.length === 1)
        return Metrics.increment(Metrics.deliveries, labelsOf(only));
    const groups = Map.groupBy(results, ({ final, delivery }) => `${delivery.channel}|${final.provider}|${final.status}`);
    return Effect.forEach(groups.values(), (group) => {
        const [first] = group;
        return first === undefined ? Effect.void : Metrics.increment(Metrics.deliveries, labelsOf(first), group.length);
    }, { discard: true });
};
