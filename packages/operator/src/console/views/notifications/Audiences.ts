/** Sends to audiences: progress and cancellation. */
import type { AudienceSendInfo } from "../../../api/Notification.ts"
import { type App, badge, copyButton, emptyState, errorNotice, loading, Polled } from "../../App.ts"
import * as Format from "../../Format.ts"
import { h, type VChild } from "../../VirtualDom.ts"
import type { Part } from "../Notifications.ts"

const kinds = { running: "warn", done: "good", cancelled: "calm" } as const

export const part = (app: App): Part => {
  const sends = new Polled(app, () => app.connection.call((client) => client.ListAudienceSends()), 2_000)

  const cancel = async ({ audience, send_id }: AudienceSendInfo) => {
    const confirmed = await app.confirm({
      title: `Stop the send to ${audience}?`,
      text: "Members who were not reached yet receive nothing.",
      confirm: "Stop the send",
      dangerous: true,
    })
    if (confirmed === undefined) return
    await app.perform("The send is being stopped", () =>
      app.connection.call((client) => client.CancelNotification({ id: send_id })),
    )
    void sends.refresh()
  }

  const row = (send: AudienceSendInfo): VChild => {
    const { audience, members, percent, send_id, started_at, status, title, updated_at } = send
    return h(
      "li",
      { class: "review", key: send_id, "data-row": "", tabindex: "0", "aria-label": `Send to ${audience}: ${status}` },
      h(
        "div",
        {},
        h("p", {}, badge(kinds[status], status), h("b", {}, ` ${audience}`), title === "" ? "" : ` ${title}`),
        h(
          "div",
          { class: "progress" },
          h("progress", { max: 100, value: percent, "aria-label": `Progress of the send to ${audience}` }),
          h("span", {}, `${percent} %`),
        ),
        h(
          "p",
          { class: "soft" },
          `${members.toLocaleString("en")} members · began ${Format.ago(started_at)} · last change ${Format.ago(updated_at)}`,
        ),
        h("div", { class: "copies" }, copyButton(app, "send", send_id)),
      ),
      h(
        "div",
        { class: "row-acts" },
        status === "running"
          ? h("button", { type: "button", class: "quiet", onClick: () => void cancel(send) }, "Stop")
          : null,
      ),
    )
  }

  return {
    dispose: () => sends.stop(),
    render: () => [
      errorNotice(sends.failure),
      sends.value === undefined
        ? loading
        : sends.value.length === 0
          ? emptyState("No sends", "A send begins with a request that names an audience.")
          : h("ul", { class: "list" }, sends.value.map(row)),
    ],
  }
}
