/**
 * Messages between the primary process and its realtime workers, over the channel of `node:cluster`. Either side may send
 * a `metrics_request`; the `metrics_response` has the same `id`.
 */
import { Schema } from "effect";
const MetricsRequest = Schema.Struct({ type: Schema.Literal("metrics_request"), id: Schema.Int });
export const FromWorker = Schema.Union([
    /** The worker serves. `node` is its name in the realtime cluster. */
    Schema.Struct({ type: Schema.Literal("listening"), port: Schema.Int, url: Schema.String, node: Schema.String }),
    MetricsRequest,
    Schema.Struct({ type: Schema.Literal("metrics_response"), id: Schema.Int, text: Schema.String }),
]);
export const ToWorker = Schema.Union([
    /** The program stops. The worker reports that it is not ready and serves until `drain`. */
    Schema.Struct({ type: Schema.Literal("stop_accepting") }),
    Schema.Struct({ type: Schema.Literal("drain") }),
    MetricsRequest,
    /** The metrics of all other processes. */
    Schema.Struct({
        type: Schema.Literal("metrics_response"),
        id: Schema.Int,
        metrics: Schema.Array(Schema.Struct({ process: Schema.String, text: Schema.String })),
    }),
]);
export const decodeFromWorker = Schema.decodeUnknownOption(FromWorker);
export const decodeToWorker = Schema.decodeUnknownOption(ToWorker);
