/**
 * Every metric of the program with its labels. `docs/metrics.md` is written from this list, `/metrics` has each of them
 * from the start, and tests hold the code to it.
 */
import { children } from "@armoricore/ffmpeg/FfmpegMetrics"
import * as Notify from "@armoricore/notify/NotifyMetrics"
import * as Realtime from "@armoricore/realtime/RealtimeMetrics"
import { openCircuit } from "@armoricore/worker/Dependencies"
import * as Queue from "@armoricore/worker/QueueMetrics"
import * as Worker from "@armoricore/worker/WorkerMetrics"
import type { Metric } from "effect"
import * as Process from "./ProcessMetrics.ts"

export interface Described {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly meaning: string
  readonly labels: ReadonlyArray<string>
}

type Known = Pick<Metric.Metric<number, unknown>, "id" | "type" | "description">

const of = (metric: Known, ...labels: ReadonlyArray<string>): Described => ({
  name: metric.id,
  type: metric.type === "Counter" ? "counter" : metric.type === "Histogram" ? "histogram" : "gauge",
  meaning: metric.description ?? "",
  labels,
})

export const groups: Readonly<Record<string, ReadonlyArray<Described>>> = {
  "Jobs and events": [
    of(Worker.consumed, "service", "type"),
    of(Worker.published, "service", "type"),
    of(Worker.finished, "service", "type", "result"),
    of(Worker.duration, "service", "type"),
    of(Worker.retried, "service", "type", "reason"),
    of(Worker.deadLettered, "service", "type", "reason"),
  ],
  Queues: [
    of(Queue.waiting, "service", "consumer"),
    of(Queue.inFlight, "service", "consumer"),
    of(Queue.oldest, "service", "consumer"),
  ],
  "Dependencies and children": [of(openCircuit, "dependency"), of(children, "program")],
  Notifications: [
    of(Notify.deliveries, "channel", "provider", "status"),
    of(Notify.unknown, "channel"),
    of(Notify.resent, "channel"),
    of(Notify.paused, "route"),
    of(Notify.open, "route"),
    of(Notify.refused, "provider"),
  ],
  "Sockets and rooms": [
    of(Realtime.sockets),
    of(Realtime.joins),
    of(Realtime.broadcasts),
    of(Realtime.deliveries),
    of(Realtime.dropped),
    of(Realtime.slowConsumers),
  ],
  "The process": [
    of(Process.cpu, "mode"),
    of(Process.started),
    of(Process.memory),
    of(Process.heap),
    of(Process.external),
    of(Process.delay, "quantile"),
    of(Process.utilization),
    of(Process.fibers),
    of(Process.fibersStarted),
  ],
}

export const all: ReadonlyArray<Described> = Object.values(groups).flat()

/** `docs/metrics.md`. */
export const reference = (): string =>
  [
    opening,
    ...Object.entries(groups).map(([title, metrics]) =>
      [
        `## ${title}\n`,
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
        ...metrics.map(
          ({ labels, meaning, name, type }) =>
            `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${meaning.replaceAll("|", "\\|")} |`,
        ),
        "",
      ].join("\n"),
    ),
  ].join("\n")

const opening = `# Metrics

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
