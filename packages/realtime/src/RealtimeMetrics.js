/**
 * The metrics of the realtime service. Hot paths count in plain numbers, and the sweep of the endpoint reports them.
 */
import { Effect, Metric } from "effect";
export const sockets = Metric.gauge("armoricore_realtime_sockets", { description: "Open sockets" });
export const joins = Metric.counter("armoricore_realtime_joins_total", {
    description: "Successful joins of channels, rejoins included",
    incremental: true,
});
export const broadcasts = Metric.counter("armoricore_realtime_broadcasts_total", {
    description: "Broadcasts to topics with at least one subscriber on this node",
    incremental: true,
});
export const deliveries = Metric.counter("armoricore_realtime_frames_enqueued_total", {
    description: "Frames that broadcasts queued for sockets",
    incremental: true,
});
export const dropped = Metric.counter("armoricore_realtime_frames_dropped_total", {
    description: "Droppable frames that were dropped for slow clients",
    incremental: true,
});
export const slowConsumers = Metric.counter("armoricore_realtime_slow_consumers_total", {
    description: "Sockets closed because the client read too slowly",
    incremental: true,
});
/** The recorder of one endpoint: adds the difference to the previous totals to each counter. */
export const recorder = () => {
    const reported = new Map();
    const incrementTo = (metric, total) => Effect.suspend(() => {
        const increment = total - (reported.get(metric) ?? 0);
        reported.set(metric, total);
        return Metric.update(metric, increment);
    });
    return (totals) => Effect.all([
        Metric.update(sockets, totals.open),
        incrementTo(joins, totals.joins),
        incrementTo(broadcasts, totals.topics.broadcasts),
        incrementTo(deliveries, totals.topics.deliveries),
        incrementTo(dropped, totals.outbound.dropped),
        incrementTo(slowConsumers, totals.outbound.overflowed),
    ], { discard: true });
};
