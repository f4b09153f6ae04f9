/** At a glance: what needs a person, the numbers that matter, their last ten minutes, processes and queues. */
import type { Overview, Sample } from "../../api/Overview.ts"
import type { LogLevel } from "../../OperatorApi.ts"
import { type App, head, loading, trouble, type View } from "../App.ts"
import { chart } from "../Chart.ts"
import { type Child, h } from "../Dom.ts"
import * as Format from "../Format.ts"

const kept = 300
const levels: ReadonlyArray<LogLevel> = ["trace", "debug", "info", "warn", "error", "fatal", "none"]
const isLevel = (text: string): text is LogLevel => levels.some((level) => level === text)
/** Idle queues beyond these are folded away. */
const shownQueues = 6

export const view = (app: App): View => {
  let now: Overview | undefined
  let samples: ReadonlyArray<Sample> = []
  let failure: string | undefined
  let allQueues = false

  const stop = app.connection.watch(
    (client) => client.WatchOverview(),
    (overview) => {
      failure = undefined
      now = overview
      samples = overview.history.length > 0 ? overview.history : [...samples, overview.sample].slice(-kept)
      app.draw()
    },
    (failed) => {
      if (failed.refused) return app.signOut(failed.message)
      failure = failed.message
      app.draw()
    },
  )

  const setLevel = (node: string, level: string) =>
    isLevel(level) &&
    void app.act(`${node} logs from ${level} on`, () =>
      app.connection.call((client) => client.SetLogLevel({ level, node })),
    )

  const tile = (view: string, label: string, value: string, note: string, kind = ""): Child =>
    h(
      "button",
      { type: "button", class: `tile ${kind}`, key: label, onClick: () => app.go(view) },
      h("span", { class: "tile-label" }, label),
      h("span", { class: "tile-value" }, value),
      h("span", { class: "tile-note" }, note),
    )

  const tiles = ({ dead_letters, jobs, sample }: Overview): Child => {
    const running = Object.values(jobs.stages).reduce((sum, count) => sum + count, 0)
    const stages = Object.entries(jobs.stages).map(([stage, count]) => `${count} ${stage}`)
    const { rates } = sample
    return h(
      "div",
      { class: "tiles" },
      tile("rooms", "Sockets", Format.number(sample.sockets), `${Format.number(rates.deliveries)} deliveries/s`),
      tile(
        "jobs",
        "Jobs at work",
        Format.number(running),
        stages.length === 0 ? `${Format.number(jobs.ready)} ready` : stages.join(", "),
      ),
      tile(
        "overview",
        "Events",
        `${Format.number(rates.events_in)}/s`,
        `${Format.number(rates.events_out)}/s out, ${Format.number(rates.retries)}/s retried`,
      ),
      tile(
        "overview",
        "Waiting",
        Format.number(sample.waiting),
        "messages in all queues",
        sample.waiting > 1_000 ? "warn" : "",
      ),
      tile("jobs", "Failed jobs", Format.number(jobs.failed), "of those remembered", jobs.failed > 0 ? "warn" : ""),
      tile(
        "dead-letters",
        "Dead letters",
        `${dead_letters.count}${dead_letters.more ? "+" : ""}`,
        dead_letters.count === 0 ? "nothing waits for you" : "wait for a decision",
        dead_letters.count > 0 ? "bad" : "",
      ),
    )
  }

  const charts = (): Child => {
    const times = samples.map(({ at }) => at)
    const perSecond = (value: number) => `${Format.number(value)}/s`
    const seconds = (value: number) => Format.span(value * 1_000)
    return h(
      "div",
      { class: "charts" },
      chart({
        title: "Deliveries",
        times,
        show: perSecond,
        lines: [{ name: "deliveries", values: samples.map(({ rates }) => rates.deliveries) }],
      }),
      chart({
        title: "Open sockets",
        times,
        show: Format.number,
        lines: [{ name: "sockets", values: samples.map(({ sockets }) => sockets) }],
      }),
      chart({
        title: "Queue depth",
        times,
        show: Format.number,
        lines: [{ name: "waiting", values: samples.map(({ waiting }) => waiting) }],
      }),
      chart({
        title: "Job times",
        times,
        show: seconds,
        lines: [
          { name: "mean", values: samples.map(({ job_seconds }) => job_seconds?.mean ?? null) },
          { name: "95 % within", values: samples.map(({ job_seconds }) => job_seconds?.p95 ?? null) },
        ],
      }),
      chart({
        title: "Events",
        times,
        show: perSecond,
        lines: [
          { name: "in", values: samples.map(({ rates }) => rates.events_in) },
          { name: "out", values: samples.map(({ rates }) => rates.events_out) },
        ],
      }),
      chart({
        title: "Jobs ended",
        times,
        show: perSecond,
        lines: [
          { name: "all", values: samples.map(({ rates }) => rates.jobs) },
          { name: "failed", values: samples.map(({ rates }) => rates.jobs_failed) },
        ],
      }),
    )
  }

  const attention = ({ attention }: Overview): Child =>
    h(
      "section",
      { class: "card attention", "aria-labelledby": "attention" },
      h("h2", { id: "attention" }, "Needs attention"),
      attention.length === 0
        ? h("p", { class: "calm-line" }, h("span", { class: "dot good" }), "Nothing. Everything that is known is well.")
        : h(
            "ul",
            { class: "faults" },
            attention.map(({ level, message, view }) =>
              h(
                "li",
                { key: message },
                h("span", { class: `dot ${level === "fault" ? "bad" : "warn"}` }),
                h("span", {}, message),
                view === "overview"
                  ? null
                  : h("button", { type: "button", class: "link", onClick: () => app.go(view) }, "Look"),
              ),
            ),
          ),
    )

  const processes = ({ nodes, sample }: Overview): Child =>
    h(
      "section",
      { class: "card", "aria-labelledby": "processes" },
      h("h2", { id: "processes" }, "Processes"),
      h(
        "div",
        { class: "scroller", tabindex: "0", role: "region", "aria-labelledby": "processes" },
        h(
          "table",
          { class: "stacked" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["Process", "Services", "Up", "CPU", "Loop", "Memory", "Log level"].map((name, at) =>
                h("th", { scope: "col", class: at > 1 && at < 6 ? "num" : "" }, name),
              ),
            ),
          ),
          h(
            "tbody",
            {},
            nodes.map(({ cpu, host, log_level, loop_busy, memory, node, pid, services, started_at, version }) =>
              h(
                "tr",
                { key: node },
                h("td", {}, h("b", {}, host), h("span", { class: "soft" }, ` pid ${pid}, ${version}`)),
                h("td", { class: "wide" }, services.length === 0 ? "starts the workers" : services.join(", ")),
                h("td", { class: "num", "data-label": "Up" }, Format.span(sample.at - started_at)),
                h("td", { class: "num", "data-label": "CPU" }, Format.percent(cpu)),
                h("td", { class: "num", "data-label": "Loop" }, Format.percent(loop_busy)),
                h("td", { class: "num", "data-label": "Memory" }, Format.bytes(memory)),
                h(
                  "td",
                  { "data-label": "Log level" },
                  h(
                    "select",
                    {
                      "aria-label": `Log level of ${host} pid ${pid}`,
                      value: log_level,
                      onChange: (event: Event) =>
                        event.target instanceof HTMLSelectElement && setLevel(node, event.target.value),
                    },
                    levels.map((level) => h("option", { value: level, key: level }, level)),
                  ),
                ),
              ),
            ),
          ),
        ),
      ),
    )

  const queues = ({ queues }: Overview): Child => {
    const shown = allQueues
      ? queues
      : queues.filter(({ in_flight, waiting }, at) => waiting + in_flight > 0 || at < shownQueues)
    return h(
      "section",
      { class: "card", "aria-labelledby": "queues" },
      h("h2", { id: "queues" }, "Queues"),
      h(
        "div",
        { class: "scroller", tabindex: "0", role: "region", "aria-labelledby": "queues" },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["Consumer", "Waiting", "In work", "Oldest"].map((name, at) =>
                h("th", { scope: "col", class: at > 0 ? "num" : "" }, name),
              ),
            ),
          ),
          h(
            "tbody",
            {},
            shown.map(({ in_flight, name, oldest_millis, waiting }) =>
              h(
                "tr",
                { key: name },
                h("td", {}, name),
                h("td", { class: waiting > 0 ? "num strong" : "num soft" }, Format.number(waiting)),
                h("td", { class: in_flight > 0 ? "num" : "num soft" }, Format.number(in_flight)),
                h("td", { class: "num soft" }, oldest_millis === 0 ? "–" : Format.span(oldest_millis)),
              ),
            ),
          ),
        ),
      ),
      queues.length > shown.length || allQueues
        ? h(
            "button",
            {
              type: "button",
              class: "link",
              onClick: () => {
                allQueues = !allQueues
                app.draw()
              },
            },
            allQueues ? "Only those with work" : `All ${queues.length} queues`,
          )
        : null,
    )
  }

  return {
    stop,
    draw: () => [
      head("Overview", "Every process, every two seconds."),
      trouble(failure),
      now === undefined
        ? loading
        : [attention(now), tiles(now), charts(), h("div", { class: "pair" }, processes(now), queues(now))],
    ],
  }
}
