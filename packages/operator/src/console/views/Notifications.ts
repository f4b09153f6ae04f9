/** Workflow runs, audience sends and templates: one part at a time. */
import { type App, choiceParam, segmentedControl, type View, viewHeader } from "../App.ts"
import type { VChild } from "../VirtualDom.ts"
import * as Audiences from "./notifications/Audiences.ts"
import * as Runs from "./notifications/Runs.ts"
import * as Templates from "./notifications/Templates.ts"

/** A part, with its filters for the head of the view. */
export interface Part extends View {
  readonly tools?: () => VChild
}

const parts = ["runs", "audiences", "templates"] as const
type PartName = (typeof parts)[number]

const titles: Readonly<Record<PartName, string>> = {
  runs: "Workflow runs",
  audiences: "Audiences",
  templates: "Templates",
}
const about: Readonly<Record<PartName, string>> = {
  runs: "The runs of each workflow, with the step at which they are. A failed run can be retried.",
  audiences: "Notifications to audiences, with their progress. A stopped send reaches no further member.",
  templates: "Preview a template with your own fields, and send it as a test.",
}
const makers: Readonly<Record<PartName, (app: App) => Part>> = {
  runs: Runs.part,
  audiences: Audiences.part,
  templates: Templates.part,
}

export const view = (app: App): View => {
  let shown: PartName = choiceParam(app, "show", parts) ?? "runs"
  let part = makers[shown](app)

  const choose = (name: PartName) => {
    if (name === shown) return
    part.dispose()
    shown = name
    app.setParams({ show: name, workflow: undefined, status: undefined, run: undefined, template: undefined }, "push")
    part = makers[name](app)
    app.render()
  }

  return {
    dispose: () => part.dispose(),
    render: () => [
      viewHeader(
        "Notifications",
        about[shown],
        segmentedControl(
          "Part",
          parts.map((name) => [name, titles[name]] as const),
          shown,
          choose,
        ),
        part.tools?.() ?? null,
      ),
      part.render(),
    ],
  }
}
