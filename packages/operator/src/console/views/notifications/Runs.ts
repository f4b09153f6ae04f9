/** Workflow runs: filter, look at the steps of one, retry, cancel. */
import type { WorkflowRunDetail, WorkflowRunInfo, WorkflowRuns } from "../../../api/Notification.ts"
import {
  type App,
  badge,
  choiceParam,
  copyButton,
  emptyState,
  errorNotice,
  loading,
  Polled,
  segmentedControl,
  unlessAll,
} from "../../App.ts"
import * as Format from "../../Format.ts"
import { linkTo } from "../../Location.ts"
import { notificationRow } from "../../NotificationRow.ts"
import { h, type VChild } from "../../VirtualDom.ts"
import type { Part } from "../Notifications.ts"

const statuses = ["all", "running", "failed", "done", "cancelled"] as const
type Status = (typeof statuses)[number]

const kinds: Readonly<Record<string, "good" | "bad" | "warn" | "calm">> = {
  running: "warn",
  failed: "bad",
  done: "good",
}
const stepKinds: Readonly<Record<WorkflowRunDetail["steps"][number]["state"], "good" | "bad" | "warn" | "calm">> = {
  done: "good",
  failed: "bad",
  current: "warn",
  skipped: "calm",
  open: "calm",
}

export const part = (app: App): Part => {
  let status: Status = choiceParam(app, "status", statuses) ?? "all"
  let workflow = app.params.get("workflow") ?? ""
  let selected = app.params.get("run") ?? ""
  const runs = new Polled(app, () =>
    app.connection.call((client) =>
      client.ListWorkflowRuns({
        ...(status === "all" ? {} : { status }),
        ...(workflow === "" ? {} : { workflow }),
      }),
    ),
  )
  const pollRun = (run_id: string) =>
    new Polled(app, () => app.connection.call((client) => client.GetWorkflowRun({ run_id })))
  let detail = selected === "" ? undefined : pollRun(selected)

  const filter = () => {
    app.setParams({ status: unlessAll(status), workflow: workflow === "" ? undefined : workflow })
    void runs.refresh()
    app.render()
  }
  const select = (id: string) => {
    detail?.stop()
    selected = selected === id ? "" : id
    detail = selected === "" ? undefined : pollRun(selected)
    app.setParams({ run: selected === "" ? undefined : selected })
    app.render()
  }
  const act = async (done: string, work: () => Promise<unknown>) => {
    await app.perform(done, work)
    void runs.refresh()
    void detail?.refresh()
  }
  const retry = (run_id: string) =>
    act("The run continues with the failed step", () =>
      app.connection.call((client) => client.RetryWorkflowRun({ run_id })),
    )
  const cancel = async (id: string) => {
    const confirmed = await app.confirm({
      title: "Cancel this run?",
      text: "Its further steps send nothing. Messages that were sent stay.",
      confirm: "Cancel the run",
      dangerous: true,
    })
    if (confirmed === undefined) return
    await act("The run is being cancelled", () => app.connection.call((client) => client.CancelNotification({ id })))
  }

  const progressOf = ({ status: now, step, waits_until }: WorkflowRunInfo): string => {
    if (now !== "running" && now !== "failed") return ""
    return waits_until === undefined ? ` at ${step}` : ` at ${step}, until ${Format.moment(waits_until)}`
  }

  const steps = ({ steps: all }: WorkflowRunDetail): VChild =>
    h(
      "ol",
      { class: "steps" },
      all.map(({ notification, state, text }) =>
        h(
          "li",
          {},
          h("code", {}, text),
          badge(stepKinds[state], state),
          notification === undefined ? null : h("ul", { class: "plain" }, notificationRow(app, notification)),
        ),
      ),
    )

  const row = (run: WorkflowRunInfo): VChild =>
    h(
      "li",
      {
        class: "review",
        key: run.run_id,
        "data-row": "",
        tabindex: "0",
        "aria-label": `Run of ${run.workflow} for ${run.user_id}: ${run.status}`,
      },
      h(
        "div",
        {},
        h("p", {}, badge(kinds[run.status] ?? "calm", run.status), h("b", {}, ` ${run.workflow}`), progressOf(run)),
        run.error === undefined ? null : h("p", { class: "wrong" }, run.error),
        h(
          "p",
          { class: "soft" },
          `${run.title === "" ? "" : `${run.title} · `}for `,
          h("a", { href: linkTo("users", { id: run.user_id }) }, run.user_id),
          ` · ${Format.ago(run.started_at)}`,
        ),
        h("div", { class: "copies" }, copyButton(app, "run", run.run_id)),
        selected !== run.run_id
          ? null
          : detail?.value === undefined
            ? (errorNotice(detail?.failure) ?? loading)
            : steps(detail.value),
      ),
      h(
        "div",
        { class: "row-acts" },
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            "aria-expanded": selected === run.run_id ? "true" : "false",
            onClick: () => select(run.run_id),
          },
          "Steps",
        ),
        run.status === "failed"
          ? h("button", { type: "button", class: "primary", onClick: () => void retry(run.run_id) }, "Retry")
          : null,
        run.status === "failed" || run.status === "running"
          ? h("button", { type: "button", class: "quiet", onClick: () => void cancel(run.run_id) }, "Cancel")
          : null,
      ),
    )

  const list = ({ runs: all }: WorkflowRuns): VChild =>
    all.length === 0
      ? emptyState("No runs", "A run begins with a request that names a workflow of NOTIFY_WORKFLOWS.")
      : h("ul", { class: "list" }, all.map(row))

  return {
    dispose: () => {
      runs.stop()
      detail?.stop()
    },
    tools: () => [
      h(
        "select",
        {
          "aria-label": "Workflow",
          onChange: (event: Event) => {
            if (event.target instanceof HTMLSelectElement) workflow = event.target.value
            filter()
          },
        },
        h("option", { value: "", selected: workflow === "" }, "All workflows"),
        [...new Set([...(runs.value?.workflows ?? []), ...(workflow === "" ? [] : [workflow])])].map((name) =>
          h("option", { value: name, key: name, selected: name === workflow }, name),
        ),
      ),
      segmentedControl(
        "Status",
        statuses.map((one) => [one, one] as const),
        status,
        (chosen) => {
          status = chosen
          filter()
        },
      ),
    ],
    render: () => [errorNotice(runs.failure), runs.value === undefined ? loading : list(runs.value)],
  }
}
