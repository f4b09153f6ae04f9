import { copyButton } from "./App.ts";
import { h } from "./VirtualDom.ts";
const row = (app, { event, event_id, payload, seq, trace_id }) => h("li", { class: "event-row", key: seq }, h("b", {}, event.replaceAll("_", " ")), h("details", {}, h("summary", {}, "Payload"), h("pre", { tabindex: "0", "aria-label": `Payload of ${event}` }, JSON.stringify(payload, null, 2))), h("div", { class: "copies" }, copyButton(app, "event", event_id), copyButton(app, "trace", trace_id)));
export const userEvents = (app, events, none) => events.length === 0
    ? h("p", { class: "soft" }, none)
    : h("ul", { class: "plain" }, events.map((event) => row(app, event)));
