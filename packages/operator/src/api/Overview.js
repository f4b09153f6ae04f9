/** One sample of the whole installation, taken every few seconds. */
import { Schema } from "effect";
/** Counters since the start of one process; rates come from two samples. */
export const Counters = Schema.Struct({
    events_in: Schema.Finite,
    events_out: Schema.Finite,
    jobs: Schema.Finite,
    jobs_failed: Schema.Finite,
    retries: Schema.Finite,
    dead_letters: Schema.Finite,
    notifications: Schema.Finite,
    broadcasts: Schema.Finite,
    deliveries: Schema.Finite,
});
/** Durations from lease to decision since the start of one process, by event type. */
export const JobDurations = Schema.Struct({
    type: Schema.String,
    count: Schema.Finite,
    /** Sum in seconds. */
    sum: Schema.Finite,
    /** Upper bound in seconds → number of jobs at or below it; `null` is the last bucket. */
    buckets: Schema.Array(Schema.Struct({ le: Schema.NullOr(Schema.Finite), count: Schema.Finite })),
});
/** The queue of one durable consumer, over all its processes. */
export const Queue = Schema.Struct({
    name: Schema.String,
    service: Schema.String,
    pending: Schema.Finite,
    in_flight: Schema.Finite,
    /** Age of the oldest message that is not handled, milliseconds; 0 if there is no such message. */
    oldest_age_millis: Schema.Finite,
});
export const Node = Schema.Struct({
    node: Schema.String,
    host: Schema.String,
    pid: Schema.Int,
    services: Schema.Array(Schema.String),
    version: Schema.String,
    started_at: Schema.Finite,
    /** Resident memory, bytes. */
    memory: Schema.Finite,
    /** Of one core, since the last sample. */
    cpu: Schema.Finite,
    /** Fraction of the time since the last sample in which the event loop was busy, 0 to 1. */
    event_loop_utilization: Schema.Finite,
    log_level: Schema.String,
});
/** The statistics that a process reports. */
export const NodeStats = Schema.Struct({
    memory: Schema.Finite,
    cpu: Schema.Finite,
    event_loop_utilization: Schema.Finite,
    log_level: Schema.String,
    counters: Counters,
    job_durations: Schema.Array(JobDurations),
    queues: Schema.Array(Queue),
    sockets: Schema.Finite,
});
/** The rate per second of each counter, over all processes. */
export const Rates = Counters;
export const Sample = Schema.Struct({
    /** Epoch milliseconds. */
    at: Schema.Finite,
    rates: Rates,
    sockets: Schema.Finite,
    /** Pending messages, over all queues. */
    pending: Schema.Finite,
    /** Job durations in seconds since the last sample: mean and 95th percentile bound. */
    job_seconds: Schema.NullOr(Schema.Struct({ mean: Schema.Finite, p95: Schema.Finite })),
});
export const Overview = Schema.Struct({
    sample: Sample,
    /** Earlier samples, oldest first; only in the first response of a stream. */
    history: Schema.Array(Sample),
    nodes: Schema.Array(Node),
    /** Known processes that did not respond. */
    unresponsive: Schema.Array(Schema.String),
    queues: Schema.Array(Queue),
    /** Running media and transcriptions by stage, and retained finished ones by result. */
    jobs: Schema.Struct({
        stages: Schema.Record(Schema.String, Schema.Finite),
        ready: Schema.Finite,
        failed: Schema.Finite,
    }),
    dead_letters: Schema.Struct({ count: Schema.Finite, more: Schema.Boolean }),
    /** Circuits that are open, half open or paused. */
    unhealthy_circuits: Schema.Array(Schema.String),
    /** The conditions that need an operator, worst first. */
    warnings: Schema.Array(Schema.Struct({ level: Schema.Literals(["fault", "warning"]), message: Schema.String, view: Schema.String })),
});
