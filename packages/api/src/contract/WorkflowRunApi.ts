/** The runs of workflows: what a request with `workflow` became. */
import { Failure } from "@armoricore/domain/events/failure"
import { runStatuses, WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { stepStates } from "@armoricore/domain/WorkflowRunSteps"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "../Problem.ts"
import { firstOf } from "./QueryParameter.ts"
import { NoStore, PublisherCredentials } from "./Security.ts"

const { category, run_id, started_at, status, updated_at, user_id, workflow } = WorkflowRun.fields

/** Without the texts and the recipients: those are personal data. */
const summary = {
  run_id,
  workflow,
  user_id,
  category,
  status: status.annotate({
    description: "`digested`: the run of the first request of its digest continues for it.",
  }),
  step: Schema.String.annotate({ description: "The step at which the run is, such as `delay 1 h`; empty at the end." }),
  waits_until: Schema.optionalKey(
    Schema.String.annotate({ description: "When the wait of that step ends, RFC 3339." }),
  ),
  error: Schema.optionalKey(Failure.annotate({ description: "Why the run is `failed`; it can be retried." })),
  started_at,
  updated_at,
}

export const RunSummary = Schema.Struct(summary).annotate({ identifier: "WorkflowRunSummary" })
export type RunSummary = typeof RunSummary.Type

const Step = Schema.Struct({
  text: Schema.String.annotate({ description: "Such as `email` or `delay 1 h`." }),
  state: Schema.Literals(stepStates).annotate({ description: "`skipped`: a condition led past it." }),
  name: Schema.optionalKey(Schema.String.annotate({ description: "Of a step that sends." })),
  notification_id: Schema.optionalKey(
    Schema.String.annotate({ description: "The notification of the step; see `GET /v1/notifications/{id}`." }),
  ),
  notification_status: Schema.optionalKey(Schema.Literals(["pending", "sent", "failed"])),
}).annotate({ identifier: "WorkflowRunStep" })

export const RunResponse = Schema.Struct({ ...summary, steps: Schema.Array(Step) }).annotate({
  identifier: "WorkflowRun",
})
export type RunResponse = typeof RunResponse.Type

export const RunPage = Schema.Struct({
  runs: Schema.Array(RunSummary).annotate({ description: "Newest first." }),
  next: Schema.optionalKey(
    Schema.String.annotate({
      description:
        "The `after` of the next page. A page may be short, even empty, while it is set: a status may be rare.",
    }),
  ),
}).annotate({ identifier: "WorkflowRuns" })

const Accepted = Schema.Struct({ run_id }).pipe(HttpApiSchema.status(202))

const params = {
  id: Schema.String.annotate({ description: "The `run_id`, or the `event_id` of the request with the workflow." }),
}
const who = "Role `publisher` or `operator`, or a signature of the empty body."

export class WorkflowRunApi extends HttpApiGroup.make("workflowRuns")
  .add(
    HttpApiEndpoint.get("list", "/v1/workflow-runs", {
      query: {
        workflow: firstOf("Only runs of this workflow."),
        user_id: firstOf("Only runs for this user."),
        status: firstOf(`Only runs with this status: ${runStatuses.join(", ")}.`),
        after: firstOf("The value of `next` in the previous page."),
        limit: firstOf("Runs per page, at most 200; default 50."),
      },
      success: RunPage,
      error: problems(401, 403, 422, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "List workflow runs, newest first", description: who })),
    HttpApiEndpoint.get("get", "/v1/workflow-runs/:id", {
      params,
      success: RunResponse,
      error: problems(401, 403, 404, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "Read a workflow run with its steps", description: who })),
    HttpApiEndpoint.post("retry", "/v1/workflow-runs/:id/retry", {
      params,
      success: Accepted,
      error: problems(401, 403, 404, 409, 503),
    }).annotateMerge(
      OpenApi.annotations({ summary: "Continue a failed workflow run at the step that failed", description: who }),
    ),
    HttpApiEndpoint.post("cancel", "/v1/workflow-runs/:id/cancel", {
      params,
      success: Accepted,
      error: problems(401, 403, 404, 409, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Cancel what a workflow run has not sent yet",
        description: `As the event \`notification.cancelled\`. ${who}`,
      }),
    ),
  )
  .middleware(PublisherCredentials)
  .middleware(NoStore)
  .annotateMerge(OpenApi.annotations({ title: "Workflow runs" })) {}
