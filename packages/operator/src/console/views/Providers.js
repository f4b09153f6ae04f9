import { emptyState, viewHeader, loading, badge, Polled, unresponsiveNotice, errorNotice, } from "../App.ts";
import { h } from "../VirtualDom.ts";
import * as Format from "../Format.ts";
const statusLabels = {
    closed: ["good", "closed", "Calls are sent."],
    open: ["bad", "open", "Several calls in a row failed. No calls are sent until the next probe."],
    probing: ["warn", "probing", "One call probes whether it has recovered."],
    waiting: [
        "bad",
        "misconfigured",
        "Its configuration is invalid; see the log for the setting. It is retried automatically.",
    ],
};
export const view = (app) => {
    const circuits = new Polled(app, () => app.connection.call((client) => client.ListCircuits()), 3_000);
    const pause = async ({ name }) => {
        const reason = await app.confirm({
            title: `Pause ${name}?`,
            text: "No process calls it until an operator resumes it. Its messages wait in the queue.",
            confirm: "Pause",
            dangerous: true,
            reasonLabel: "Reason, for other operators",
        });
        if (reason === undefined)
            return;
        await app.perform(`${name} is paused`, () => app.connection.call((client) => client.PauseCircuit({ name, reason })));
        void circuits.refresh();
    };
    const resume = async ({ name }) => {
        await app.perform(`${name} is resumed`, () => app.connection.call((client) => client.ResumeCircuit({ name })));
        void circuits.refresh();
    };
    const card = (circuit) => {
        const { failures, name, nodes, paused, status, until } = circuit;
        const [kind, word, sentence] = statusLabels[status];
        const [sort = "", ...rest] = name.split(":");
        return h("li", {
            class: "card provider",
            key: name,
            "data-row": "",
            tabindex: "0",
            "aria-label": `${name}: ${paused === undefined ? word : "paused"}`,
        }, h("div", { class: "provider-head" }, h("div", {}, h("p", { class: "soft kind" }, sort), h("h2", {}, rest.join(":"))), paused === undefined ? badge(kind, word) : badge("warn", "paused")), h("p", {}, paused === undefined
            ? sentence
            : `Paused by ${paused.by} ${Format.ago(paused.since)}${paused.reason === "" ? "" : `: ${paused.reason}`}`), h("p", { class: "soft" }, [
            failures > 0 ? `${failures} failures in a row` : "",
            until === undefined || until < Date.now() ? "" : `next probe in ${Format.duration(until - Date.now())}`,
            nodes.length === 0 ? "no process uses it" : `${nodes.length} ${nodes.length === 1 ? "process" : "processes"}`,
        ]
            .filter((part) => part !== "")
            .join(" · ")), h("div", { class: "acts" }, paused === undefined ? h("button", { type: "button", onClick: () => void pause(circuit) }, "Pause") : null, paused !== undefined || status !== "closed"
            ? h("button", { type: "button", class: "primary", onClick: () => void resume(circuit) }, paused === undefined ? "Probe now" : "Resume")
            : null));
    };
    return {
        dispose: () => circuits.stop(),
        render: () => [
            viewHeader("Providers", "Circuits of notification providers and other dependencies."),
            errorNotice(circuits.failure),
            unresponsiveNotice(circuits.value?.unresponsive ?? []),
            circuits.value === undefined
                ? loading
                : circuits.value.circuits.length === 0
                    ? emptyState("No circuits", "Providers appear when the notify service runs, other dependencies after their first call.")
                    : h("ul", { class: "providers" }, circuits.value.circuits.map(card)),
        ],
    };
};
