import { choiceParam, segmentedControl, emptyState, viewHeader, loading, badge, Polled, errorNotice, unlessAll, } from "../App.ts";
import { h } from "../VirtualDom.ts";
import * as Format from "../Format.ts";
const badgeKinds = { started: "calm", done: "good", failed: "bad", refused: "warn" };
export const view = (app) => {
    let outcomeFilter = choiceParam(app, "outcome", ["done", "failed", "refused"]) ?? "all";
    const entries = new Polled(app, () => app.connection.call((client) => client.ListAudit({ limit: 200, ...(outcomeFilter === "all" ? {} : { outcome: outcomeFilter }) })));
    const row = ({ payload, action, at, detail, id, outcome, suppressed, user_id }) => h("li", { class: "entry", key: id, "data-row": "", tabindex: "0" }, h("time", { class: "soft", datetime: at, title: at }, Format.moment(at)), h("div", {}, h("p", {}, h("b", {}, user_id ?? "Unknown user"), ` · ${Format.words(action)} `, badge(badgeKinds[outcome], outcome)), payload === null || (typeof payload === "object" && Object.keys(payload).length === 0)
        ? null
        : h("code", { class: "about-act" }, JSON.stringify(payload)), detail === undefined ? null : h("p", { class: "soft" }, detail), suppressed === undefined ? null : h("p", { class: "soft" }, `and ${suppressed} similar entries`)));
    const options = [
        ["all", "All"],
        ["done", "Done"],
        ["failed", "Failed"],
        ["refused", "Refused"],
    ];
    return {
        dispose: () => entries.stop(),
        render: () => [
            viewHeader("Audit", "Actions of operators and denied attempts, newest first.", segmentedControl("Which entries", options, outcomeFilter, (value) => {
                outcomeFilter = value;
                app.setParams({ outcome: unlessAll(value) });
                entries.value = undefined;
                void entries.refresh();
                app.render();
            })),
            errorNotice(entries.failure),
            entries.value === undefined
                ? loading
                : entries.value.length === 0
                    ? emptyState("No entries", outcomeFilter === "all" ? "No operator has changed anything yet." : "No audit entry has this outcome.")
                    : h("ul", { class: "list" }, entries.value.map(row)),
        ],
    };
};
