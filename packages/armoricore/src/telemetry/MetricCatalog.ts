/**
 * Every metric of the program with its labels. `docs/metrics.md` is written from this list, `/metrics` has each of them
 * from the start, and tests hold the code to it.
 */
import { childProcesses } from "@armoricore/ffmpeg/FfmpegMetrics"
import * as Notify from "@armoricore/notify/NotifyMetrics"
import * as Realtime from "@armoricore/realtime/RealtimeMetrics"
import { circuitOpen } from "@armoricore/worker/control/CircuitBreakers"
import * as Queue from "@armoricore/worker/QueueMetrics"
import * as Worker from "@armoricore/worker/WorkerMetrics"
import type { Metric } from "effect"
import * as Process from "./ProcessMetrics.ts"

export interface MetricDescription {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly description: string
  readonly labels: ReadonlyArray<string>
}

type KnownMetric = Pick<Metric.Metric<number, unknown>, "id" | "type" | "description">

const describe = (metric: KnownMetric, ...labels: ReadonlyArray<string>): MetricDescription => ({
  name: metric.id,
  type: metric.type === "Counter" ? "counter" : metric.type === "Histogram" ? "histogram" : "gauge",
  description: metric.description ?? "",
  labels,
})

export const metricGroups: Readonly<Record<string, ReadonlyArray<MetricDescription>>> = {
  "Jobs and events": [
    describe(Worker.consumed, "service", "type"),
    describe(Worker.published, "service", "type"),
    describe(Worker.finished, "service", "type", "result"),
    describe(Worker.duration, "service", "type"),
    describe(Worker.retried, "service", "type", "reason"),
    describe(Worker.deadLettered, "service", "type", "reason"),
  ],
  Queues: [
    describe(Queue.pending, "service", "consumer"),
    describe(Queue.inFlight, "service", "consumer"),
    describe(Queue.oldestAge, "service", "consumer"),
  ],
  "Dependencies and children": [describe(circuitOpen, "dependency"), describe(childProcesses, "program")],
  Notifications: [
    describe(Notify.deliveries, "channel", "provider", "status"),
    describe(Notify.unknownOutcomes, "channel"),
    describe(Notify.resends, "channel"),
    describe(Notify.providerPaused, "route"),
    describe(Notify.circuitOpen, "route"),
    describe(Notify.webhooksRejected, "provider"),
  ],
  "Sockets and rooms": [
    describe(Realtime.sockets),
    describe(Realtime.joins),
    describe(Realtime.broadcasts),
    describe(Realtime.deliveries),
    describe(Realtime.dropped),
    describe(Realtime.slowConsumers),
  ],
  "The process": [
    describe(Process.cpuSeconds, "mode"),
    describe(Process.startTime),
    describe(Process.residentMemory),
    describe(Process.heapUsed),
    describe(Process.externalMemory),
    describe(Process.eventLoopDelay, "quantile"),
    describe(Process.eventLoopUtilization),
    describe(Process.activeFibers),
    describe(Process.fibersStarted),
  ],
}

export const allMetrics: ReadonlyArray<MetricDescription> = Object.values(metricGroups).flat()

/** `docs/metrics.md`. */
export const metricsReference = (): string =>
  [
    introduction,
    ...Object.entries(metricGroups).map(([title, metrics]) =>
      [
        `## ${title}\n`,
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
        ...metrics.map(
          ({ labels, description, name, type }) =>
            `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${description.replaceAll("|", "\\|")} |`,
        ),
        "",
      ].join("\n"),
    ),
  ].join("\n")

const introduction = `# Metrics

What \`GET /metrics\` has, in the text format of Prometheus, and what goes to \`OTEL_EXPORTER_OTLP_ENDPOINT\` under the same
names. Every process has every metric from its start; those of services that it does not run have no samples. Below
\`--realtime-workers\` one page has all processes, told apart by the label \`process\`. Counters start at 0 with the process:
use \`rate()\` and \`increase()\`. A histogram has \`_bucket\`, \`_sum\` and \`_count\`.
This page is written by \`npm run docs:metrics\`; a test holds it to the code.

| label | values |
|---|---|
| \`service\` | \`media\`, \`notify\`, \`ai\`, \`realtime\`; \`webhook\` tells the backend, \`api\` takes events over HTTP, \`guard\` looks at all events, \`operator\` keeps what moderation flagged |
| \`type\` | an event type such as \`media.uploaded\`, or \`work.<kind>\` for a service's internal jobs |
| \`result\` | \`succeeded\`, \`failed\` (for good), \`exhausted\` (tries used up), \`cancelled\`, \`repeated\` (was decided before, told again) |
| \`consumer\` | the durable name of a queue, such as \`media-media-uploaded\` |
`
