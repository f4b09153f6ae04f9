/** Everything about one user: sockets, media, notifications and the events that were sent. */
import type { Job } from "../../api/Job.ts"
import type { UserDetail } from "../../api/Library.ts"
import type { WorkflowRunInfo } from "../../api/Notification.ts"
import type { OpenSocket } from "../../api/Room.ts"
import {
  type App,
  emptyState,
  errorNotice,
  loading,
  Polled,
  unresponsiveNotice,
  type View,
  viewHeader,
} from "../App.ts"
import * as Format from "../Format.ts"
import { linkTo } from "../Location.ts"
import { notificationRow, statusBadge } from "../NotificationRow.ts"
import { reachSections } from "../UserReach.ts"
import { userEvents } from "../UserEvents.ts"
import { type VChild, h } from "../VirtualDom.ts"

export const view = (app: App): View => {
  let id = app.params.get("id") ?? ""
  let text = id
  const poll = (userId: string) =>
    new Polled(app, () => app.connection.call((client) => client.GetUser({ user_id: userId })))
  let user = id === "" ? undefined : poll(id)

  const open = () => {
    if (text === id) return
    id = text
    user?.stop()
    user = id === "" ? undefined : poll(id)
    app.setParams({ id }, "push")
    app.render()
  }

  const socketRow = (one: OpenSocket): VChild =>
    h(
      "li",
      { class: "event-row", key: one.socket_id },
      h("b", {}, one.address),
      h("span", { class: "soft" }, `since ${Format.moment(one.connected_at)} on ${one.node}`),
      h(
        "div",
        { class: "copies" },
        one.topics.map((topic) => h("a", { class: "copy", href: linkTo("rooms", { topic }) }, topic)),
      ),
    )

  const jobRow = (job: Job): VChild =>
    h(
      "li",
      { class: "event-row", key: `${job.kind} ${job.media_id}` },
      h("a", { href: linkTo("media", { id: job.media_id }) }, h("code", {}, job.media_id)),
      h(
        "span",
        { class: "soft" },
        `${job.kind === "media" ? "" : "captions · "}${job.status} · ${Format.ago(job.updated_at)}`,
      ),
    )

  const runRow = (run: WorkflowRunInfo): VChild =>
    h(
      "li",
      { class: "event-row", key: run.run_id },
      h("a", { href: linkTo("notifications", { run: run.run_id, workflow: run.workflow }) }, run.workflow),
      statusBadge(run.status),
      h("span", { class: "soft" }, `${run.step} · ${Format.ago(run.started_at)}`),
    )

  const section = <A>(title: string, items: ReadonlyArray<A>, none: string, row: (item: A) => VChild): VChild =>
    h(
      "section",
      { class: "card", "aria-label": title },
      h("h2", {}, title),
      items.length === 0 ? h("p", { class: "soft" }, none) : h("ul", { class: "plain" }, items.map(row)),
    )

  const shown = ({ events, jobs, notifications, reach, runs, sockets, unresponsive }: UserDetail): VChild => [
    unresponsiveNotice(unresponsive),
    h(
      "div",
      { class: "user-parts" },
      section("Sockets", sockets, "The user is not connected.", socketRow),
      section("Media", jobs, "No media of this user is among the newest.", jobRow),
      section("Notifications", notifications, "No notification is in the user's newest events.", (one) =>
        notificationRow(app, one),
      ),
      section("Workflow runs", runs, "No workflow has run for the user.", runRow),
      reachSections(reach),
      h(
        "section",
        { class: "card", "aria-label": "Events" },
        h("h2", {}, "Events"),
        userEvents(app, events, "The user was sent no events."),
      ),
    ),
  ]

  return {
    dispose: () => user?.stop(),
    render: () => [
      viewHeader(
        "Users",
        "Devices, preferences, inbox, notifications, media, sockets and events of one user.",
        h(
          "form",
          {
            class: "tools",
            onSubmit: (event: Event) => {
              event.preventDefault()
              open()
            },
          },
          h("input", {
            type: "search",
            class: "search",
            placeholder: "User id",
            "aria-label": "User id",
            value: text,
            onInput: (event: Event) => {
              if (event.target instanceof HTMLInputElement) text = event.target.value.trim()
            },
          }),
          h("button", { type: "submit" }, "Show"),
        ),
      ),
      errorNotice(user?.failure),
      user === undefined
        ? emptyState("No user selected", "Enter a user id, or follow the link of a user in Jobs, Media or Rooms.")
        : user.value === undefined
          ? user.failure === undefined
            ? loading
            : null
          : shown(user.value),
    ],
  }
}
