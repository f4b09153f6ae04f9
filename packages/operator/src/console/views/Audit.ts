/** Who did what, and how it ended; tries that were refused too. */
import type { AuditEntry } from "../../api/AuditEntry.ts"
import { type App, choice, empty, head, loading, pill, Polled, trouble, type View } from "../App.ts"
import { type Child, h } from "../Dom.ts"
import * as Format from "../Format.ts"

type Shown = "all" | "done" | "failed" | "refused"

const kinds = { started: "calm", done: "good", failed: "bad", refused: "warn" } as const

export const view = (app: App): View => {
  let shown: Shown = "all"
  const entries = new Polled(app, () =>
    app.connection.call((client) => client.ListAudit({ limit: 200, ...(shown === "all" ? {} : { outcome: shown }) })),
  )

  const row = ({ about, act, at, detail, id, outcome, suppressed, user_id }: AuditEntry): Child =>
    h(
      "li",
      { class: "entry", key: id, "data-row": "", tabindex: "0" },
      h("time", { class: "soft", datetime: at, title: at }, Format.moment(at)),
      h(
        "div",
        {},
        h("p", {}, h("b", {}, user_id ?? "Nobody known"), ` · ${Format.words(act)} `, pill(kinds[outcome], outcome)),
        about === null || (typeof about === "object" && Object.keys(about).length === 0)
          ? null
          : h("code", { class: "about-act" }, JSON.stringify(about)),
        detail === undefined ? null : h("p", { class: "soft" }, detail),
        suppressed === undefined ? null : h("p", { class: "soft" }, `and ${suppressed} more like it`),
      ),
    )

  const options = [
    ["all", "All"],
    ["done", "Done"],
    ["failed", "Failed"],
    ["refused", "Refused"],
  ] as const

  return {
    stop: () => entries.stop(),
    draw: () => [
      head(
        "Audit",
        "Every act of an operator, newest first.",
        choice<Shown>("Which entries", options, shown, (value) => {
          shown = value
          entries.value = undefined
          void entries.refresh()
          app.draw()
        }),
      ),
      trouble(entries.failure),
      entries.value === undefined
        ? loading
        : entries.value.length === 0
          ? empty("Nothing here", "No operator has done anything of this kind.")
          : h("ul", { class: "list" }, entries.value.map(row)),
    ],
  }
}
