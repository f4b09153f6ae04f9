/** What an operator sees at a glance: one sample of the whole installation, made every few seconds. */
import { Schema } from "effect"

/** Numbers since the start of one process; rates are made of two samples. */
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
})
export type Counters = typeof Counters.Type

/** Times from claim to decision since the start of one process, by event type. */
export const JobDurations = Schema.Struct({
  type: Schema.String,
  count: Schema.Finite,
  /** Seconds, all together. */
  sum: Schema.Finite,
  /** Upper bound in seconds → how many took no longer; `null` is no bound. */
  buckets: Schema.Array(Schema.Struct({ le: Schema.NullOr(Schema.Finite), count: Schema.Finite })),
})
export type JobDurations = typeof JobDurations.Type

/** What waits before one durable consumer; all its processes together. */
export const Queue = Schema.Struct({
  name: Schema.String,
  service: Schema.String,
  pending: Schema.Finite,
  in_flight: Schema.Finite,
  /** Age of the oldest message that is not handled, milliseconds; 0: there is none. */
  oldest_age_millis: Schema.Finite,
})
export type Queue = typeof Queue.Type

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
  /** Share of the time that the event loop was busy since the last sample, 0 to 1. */
  event_loop_utilization: Schema.Finite,
  log_level: Schema.String,
})
export type Node = typeof Node.Type

/** A process's own account. */
export const NodeStats = Schema.Struct({
  memory: Schema.Finite,
  cpu: Schema.Finite,
  event_loop_utilization: Schema.Finite,
  log_level: Schema.String,
  counters: Counters,
  job_durations: Schema.Array(JobDurations),
  queues: Schema.Array(Queue),
  sockets: Schema.Finite,
})
export type NodeStats = typeof NodeStats.Type

/** A second's worth of each counter, over all processes. */
export const Rates = Counters
export type Rates = Counters

export const Sample = Schema.Struct({
  /** Epoch milliseconds. */
  at: Schema.Finite,
  rates: Rates,
  sockets: Schema.Finite,
  /** Messages that wait, over all queues. */
  pending: Schema.Finite,
  /** Seconds a job took, of the jobs that ended since the last sample: mean, and the bound that 95 % kept. */
  job_seconds: Schema.NullOr(Schema.Struct({ mean: Schema.Finite, p95: Schema.Finite })),
})
export type Sample = typeof Sample.Type

export const Overview = Schema.Struct({
  sample: Sample,
  /** Earlier ones, oldest first; only in the first answer of a stream. */
  history: Schema.Array(Sample),
  nodes: Schema.Array(Node),
  /** Processes that are known and did not answer. */
  unresponsive: Schema.Array(Schema.String),
  queues: Schema.Array(Queue),
  /** Media and transcriptions at work, by stage, and how many ended well or failed, of those that are remembered. */
  jobs: Schema.Struct({
    stages: Schema.Record(Schema.String, Schema.Finite),
    ready: Schema.Finite,
    failed: Schema.Finite,
  }),
  dead_letters: Schema.Struct({ count: Schema.Finite, more: Schema.Boolean }),
  /** Circuits that are not closed, or paused. */
  unhealthy_circuits: Schema.Array(Schema.String),
  /** What needs a person, in sentences, worst first. */
  warnings: Schema.Array(
    Schema.Struct({ level: Schema.Literals(["fault", "warning"]), message: Schema.String, view: Schema.String }),
  ),
})
export type Overview = typeof Overview.Type
