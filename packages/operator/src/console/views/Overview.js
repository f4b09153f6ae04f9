import { viewHeader, loading, errorNotice } from "../App.ts";
import { chart } from "../Chart.ts";
import { h } from "../VirtualDom.ts";
import * as Format from "../Format.ts";
const maxSamples = 300;
const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "none"];
const isLogLevel = (text) => logLevels.some((level) => level === text);
/** Idle queues after this position are hidden at first. */
const minShownQueues = 6;
export const view = (app) => {
    let overview;
    let samples = [];
    let failure;
    let areAllQueuesShown = false;
    const dispose = app.connection.watch((client) => client.WatchOverview(), (latest) => {
        failure = undefined;
        overview = latest;
        samples = latest.history.length > 0 ? latest.history : [...samples, latest.sample].slice(-maxSamples);
        app.render();
    }, (callFailure) => {
        if (callFailure.isAccessDenied)
            return app.signOut(callFailure.message);
        failure = callFailure.message;
        app.render();
    });
    const setLevel = (node, level) => isLogLevel(level) &&
        void app.perform(`${node}: log level is ${level}`, () => app.connection.call((client) => client.SetLogLevel({ level, node })));
    const tile = (view, label, value, note, kind = "") => h("button", { type: "button", class: `tile ${kind}`, key: label, onClick: () => app.navigate(view) }, h("span", { class: "tile-label" }, label), h("span", { class: "tile-value" }, value), h("span", { class: "tile-note" }, note));
    const tiles = ({ dead_letters, jobs, sample }) => {
        const running = Object.values(jobs.stages).reduce((sum, count) => sum + count, 0);
        const stages = Object.entries(jobs.stages).map(([stage, count]) => `${count} ${stage}`);
        const { rates } = sample;
        return h("div", { class: "tiles" }, tile("rooms", "Sockets", Format.number(sample.sockets), `${Format.number(rates.deliveries)} deliveries/s`), tile("jobs", "Running jobs", Format.number(running), stages.length === 0 ? `${Format.number(jobs.ready)} ready` : stages.join(", ")), tile("overview", "Events", `${Format.number(rates.events_in)}/s`, `${Format.number(rates.events_out)}/s out, ${Format.number(rates.retries)}/s retried`), tile("overview", "Waiting", Format.number(sample.pending), "messages in all queues", sample.pending > 1_000 ? "warn" : ""), tile("jobs", "Failed jobs", Format.number(jobs.failed), "of the stored jobs", jobs.failed > 0 ? "warn" : ""), tile("dead-letters", "Dead letters", `${dead_letters.count}${dead_letters.more ? "+" : ""}`, dead_letters.count === 0 ? "none wait for a decision" : "wait for a decision", dead_letters.count > 0 ? "bad" : ""));
    };
    const charts = () => {
        const times = samples.map(({ at }) => at);
        const perSecond = (value) => `${Format.number(value)}/s`;
        const seconds = (value) => Format.duration(value * 1_000);
        return h("div", { class: "charts" }, chart({
            title: "Deliveries",
            times,
            formatValue: perSecond,
            lines: [{ name: "deliveries", values: samples.map(({ rates }) => rates.deliveries) }],
        }), chart({
            title: "Open sockets",
            times,
            formatValue: Format.number,
            lines: [{ name: "sockets", values: samples.map(({ sockets }) => sockets) }],
        }), chart({
            title: "Queue depth",
            times,
            formatValue: Format.number,
            lines: [{ name: "waiting", values: samples.map(({ pending }) => pending) }],
        }), chart({
            title: "Job times",
            times,
            formatValue: seconds,
            lines: [
                { name: "mean", values: samples.map(({ job_seconds }) => job_seconds?.mean ?? null) },
                { name: "p95", values: samples.map(({ job_seconds }) => job_seconds?.p95 ?? null) },
            ],
        }), chart({
            title: "Events",
            times,
            formatValue: perSecond,
            lines: [
                { name: "in", values: samples.map(({ rates }) => rates.events_in) },
                { name: "out", values: samples.map(({ rates }) => rates.events_out) },
            ],
        }), chart({
            title: "Jobs ended",
            times,
            formatValue: perSecond,
            lines: [
                { name: "all", values: samples.map(({ rates }) => rates.jobs) },
                { name: "failed", values: samples.map(({ rates }) => rates.jobs_failed) },
            ],
        }));
    };
    const warningList = ({ warnings }) => h("section", { class: "card attention", "aria-labelledby": "attention" }, h("h2", { id: "attention" }, "Needs attention"), warnings.length === 0
        ? h("p", { class: "calm-line" }, h("span", { class: "dot good" }), "No problems.")
        : h("ul", { class: "faults" }, warnings.map(({ level, message, view }) => h("li", { key: message }, h("span", { class: `dot ${level === "fault" ? "bad" : "warn"}` }), h("span", {}, message), view === "overview"
            ? null
            : h("button", { type: "button", class: "link", onClick: () => app.navigate(view) }, "Open")))));
    const processes = ({ nodes, sample }) => h("section", { class: "card", "aria-labelledby": "processes" }, h("h2", { id: "processes" }, "Processes"), h("div", { class: "scroller", tabindex: "0", role: "region", "aria-labelledby": "processes" }, h("table", { class: "stacked" }, h("thead", {}, h("tr", {}, ["Process", "Services", "Up", "CPU", "Loop", "Memory", "Log level"].map((name, at) => h("th", { scope: "col", class: at > 1 && at < 6 ? "num" : "" }, name)))), h("tbody", {}, nodes.map(({ cpu, host, log_level, event_loop_utilization, memory, node, pid, services, started_at, version }) => h("tr", { key: node }, h("td", {}, h("b", {}, host), h("span", { class: "soft" }, ` pid ${pid}, ${version}`)), h("td", { class: "wide" }, services.length === 0 ? "supervisor of the workers" : services.join(", ")), h("td", { class: "num", "data-label": "Up" }, Format.duration(sample.at - started_at)), h("td", { class: "num", "data-label": "CPU" }, Format.percent(cpu)), h("td", { class: "num", "data-label": "Loop" }, Format.percent(event_loop_utilization)), h("td", { class: "num", "data-label": "Memory" }, Format.bytes(memory)), h("td", { "data-label": "Log level" }, h("select", {
        "aria-label": `Log level of ${host} pid ${pid}`,
        value: log_level,
        onChange: (event) => event.target instanceof HTMLSelectElement && setLevel(node, event.target.value),
    }, logLevels.map((level) => h("option", { value: level, key: level }, level))))))))));
    const queues = ({ queues }) => {
        const shown = areAllQueuesShown
            ? queues
            : queues.filter(({ in_flight, pending }, at) => pending + in_flight > 0 || at < minShownQueues);
        return h("section", { class: "card", "aria-labelledby": "queues" }, h("h2", { id: "queues" }, "Queues"), h("div", { class: "scroller", tabindex: "0", role: "region", "aria-labelledby": "queues" }, h("table", {}, h("thead", {}, h("tr", {}, ["Consumer", "Waiting", "In flight", "Oldest"].map((name, at) => h("th", { scope: "col", class: at > 0 ? "num" : "" }, name)))), h("tbody", {}, shown.map(({ in_flight, name, oldest_age_millis, pending }) => h("tr", { key: name }, h("td", {}, name), h("td", { class: pending > 0 ? "num strong" : "num soft" }, Format.number(pending)), h("td", { class: in_flight > 0 ? "num" : "num soft" }, Format.number(in_flight)), h("td", { class: "num soft" }, oldest_age_millis === 0 ? "–" : Format.duration(oldest_age_millis))))))), queues.length > shown.length || areAllQueuesShown
            ? h("button", {
                type: "button",
                class: "link",
                onClick: () => {
                    areAllQueuesShown = !areAllQueuesShown;
                    app.render();
                },
            }, areAllQueuesShown ? "Hide idle queues" : `Show all ${queues.length} queues`)
            : null);
    };
    return {
        dispose,
        render: () => [
            viewHeader("Overview", "State of all processes, updated every two seconds."),
            errorNotice(failure),
            overview === undefined
                ? loading
                : [
                    warningList(overview),
                    tiles(overview),
                    charts(),
                    h("div", { class: "pair" }, processes(overview), queues(overview)),
                ],
        ],
    };
};
