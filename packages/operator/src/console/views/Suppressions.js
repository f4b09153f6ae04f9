import { badge, copyButton, emptyState, errorNotice, loading, Polled, viewHeader } from "../App.ts";
import * as Format from "../Format.ts";
import { h } from "../VirtualDom.ts";
export const view = (app) => {
    let address = "";
    const page = new Polled(app, () => app.connection.call((client) => client.ListSuppressions({ limit: 200, ...(address.includes("@") ? { address } : {}) })));
    const add = async () => {
        const note = await app.confirm({
            title: "Suppress this address?",
            text: `${address} receives no more e-mail.`,
            confirm: "Suppress",
            dangerous: true,
            reasonLabel: "Reason",
        });
        if (note === undefined)
            return;
        await app.perform(`${address} is suppressed`, () => app.connection.call((client) => client.AddSuppression({ address, note })));
        void page.refresh();
    };
    const remove = async ({ category, hash }) => {
        const confirmed = await app.confirm({
            title: "Remove this suppression?",
            text: "The address receives e-mail again. If it bounces or complains again, it is suppressed again.",
            confirm: "Remove",
            dangerous: false,
        });
        if (confirmed === undefined)
            return;
        await app.perform("The suppression is removed", () => app.connection.call((client) => client.RemoveSuppression({ hash, ...(category === undefined ? {} : { category }) })));
        void page.refresh();
    };
    const row = (entry) => h("li", {
        class: "review",
        key: `${entry.hash}.${entry.category ?? ""}`,
        "data-row": "",
        tabindex: "0",
        "aria-label": `Suppression ${entry.reason}`,
    }, h("div", {}, h("p", {}, badge(entry.reason === "complained" ? "bad" : "warn", entry.reason), entry.category === undefined ? "" : ` category ${entry.category}`), entry.evidence === undefined ? null : h("blockquote", {}, entry.evidence), h("p", { class: "soft" }, `since ${Format.ago(new Date(entry.since).toISOString())}`, entry.source === undefined ? "" : ` · from ${entry.source}`, entry.last_at === undefined ? "" : ` · again ${Format.ago(new Date(entry.last_at).toISOString())}`), h("div", { class: "copies" }, copyButton(app, "hash", entry.hash), copyButton(app, "delivery", entry.delivery_id))), h("div", { class: "row-acts" }, h("button", { type: "button", class: "quiet", onClick: () => void remove(entry) }, "Remove")));
    return {
        dispose: () => page.stop(),
        render: () => [
            viewHeader("Suppressions", "Addresses that receive no e-mail, with the reason. The list stores hashes: search by the whole address.", h("input", {
                type: "search",
                "aria-label": "Address",
                placeholder: "name@example.com",
                value: address,
                onInput: (event) => {
                    address = event.target instanceof HTMLInputElement ? event.target.value.trim() : "";
                    void page.refresh();
                    app.render();
                },
            }), h("button", { type: "button", disabled: !address.includes("@"), onClick: () => void add() }, "Suppress this address")),
            errorNotice(page.failure),
            page.value === undefined
                ? loading
                : page.value.entries.length === 0
                    ? emptyState("No suppressions", address.includes("@") ? "This address is not suppressed." : "E-mail goes to every address.")
                    : h("ul", { class: "list" }, page.value.entries.map(row)),
            page.value?.next === undefined
                ? null
                : h("p", { class: "soft" }, "The list has more entries. Search by address, or export it."),
        ],
    };
};
