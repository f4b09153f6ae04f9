/** The list of events that a user was sent, in the views of a media and of a user. */
import type { UserEvent } from "../api/Library.ts"
import { type App, copyButton } from "./App.ts"
import { type VChild, h } from "./VirtualDom.ts"

const row = (app: App, { event, event_id, payload, seq, trace_id }: UserEvent): VChild =>
  h(
    "li",
    { class: "event-row", key: seq },
    h("b", {}, event.replaceAll("_", " ")),
    h(
      "details",
      {},
      h("summary", {}, "Payload"),
      h("pre", { tabindex: "0", "aria-label": `Payload of ${event}` }, JSON.stringify(payload, null, 2)),
    ),
    h("div", { class: "copies" }, copyButton(app, "event", event_id), copyButton(app, "trace", trace_id)),
  )

export const userEvents = (app: App, events: ReadonlyArray<UserEvent>, none: string): VChild =>
  events.length === 0
    ? h("p", { class: "soft" }, none)
    : h(
        "ul",
        { class: "plain" },
        events.map((event) => row(app, event)),
      )
