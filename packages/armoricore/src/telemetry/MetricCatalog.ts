/**
 * Every metric of the program with its labels: the source of `docs/metrics.md`, and of the families that `/metrics` lists
 * before they have samples. Tests compare it with the code.
 */
import { tokens as languageTokens } from "@armoricore/ai/language/ChatModel"
import { childProcesses } from "@armoricore/ffmpeg/FfmpegMetrics"
import * as Notify from "@armoricore/notify/NotifyMetrics"
import { requests as authorizeRequests } from "@armoricore/realtime/access/AuthorizeHook"
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
    describe(Queue.running, "service", "consumer"),
  ],
  "Dependencies and children": [
    describe(circuitOpen, "dependency"),
    describe(childProcesses, "program"),
    describe(languageTokens, "task", "kind"),
  ],
  Notifications: [
    describe(Notify.deliveries, "channel", "provider", "status"),
    describe(Notify.unknownOutcomes, "channel"),
    describe(Notify.resends, "channel"),
    describe(Notify.refusalsHeld, "provider", "reason"),
    describe(Notify.refusalsReversed, "channel"),
    describe(Notify.deferrals, "provider"),
    describe(Notify.providerPaused, "provider"),
    describe(Notify.circuitOpen, "provider"),
    describe(Notify.webhooksRejected, "provider"),
  ],
  "Sockets and rooms": [
    describe(Realtime.sockets),
    describe(authorizeRequests, "outcome"),
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
    describe(Process.eventLoopDelayP50),
    describe(Process.eventLoopDelayP99),
    describe(Process.eventLoopDelayMax),
    describe(Process.eventLoopUtilization),
    describe(Process.activeFibers),
    describe(Process.fibersStarted),
  ],
}

export const allMetrics: ReadonlyArray<MetricDescription> = Object.values(metricGroups).flat()

/** The text of `docs/metrics.md`. */
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

The metrics of \`GET /metrics\`, in the text format of Prometheus. \`OTEL_EXPORTER_OTLP_ENDPOINT\` receives the same ones.
Every process lists every metric from its start; a service that it does not run has no samples. With
\`--realtime-workers\` one page has the metrics of all processes, with a label \`process\`. Counters start at 0 with the
process: use \`rate()\` and \`increase()\`. A histogram has \`_bucket\`, \`_sum\` and \`_count\`.
This page is generated: run \`npm run docs:metrics\` after a change.

| label | values |
|---|---|
| \`service\` | \`media\`, \`notify\`, \`ai\`, \`realtime\`; \`webhook\` posts result events to the backend, \`api\` accepts events over HTTP, \`guard\` validates events without another consumer, \`operator\` stores flagged messages |
| \`type\` | an event type such as \`media.uploaded\`, or \`work.<kind>\` for a service's internal jobs |
| \`result\` | \`succeeded\`, \`failed\` (permanent error), \`exhausted\` (all attempts failed), \`cancelled\`, \`rejected\` (not permitted: a dead letter), \`duplicate\` (decided earlier; the result was published again) |
| \`consumer\` | the durable name of a queue, such as \`media-media-uploaded\` |
`
