/** `armoricore operator runs`, `run`, `retry-run`, `sends`, `cancel-notification`: workflow runs and sends to audiences. */
import { RunStatus } from "@armoricore/domain/WorkflowRun"
import { Console, Effect, Option } from "effect"
import { Argument, Flag } from "effect/cli"
import { operatorCommand } from "./operator-command.ts"
import { jsonFlag, limitFlag, printItems, printRow } from "./output.ts"

const runId = Argument.String("run_id")

const runs = operatorCommand(
  "runs",
  {
    limit: limitFlag,
    json: jsonFlag,
    workflow: Flag.String("workflow").pipe(Flag.withDescription("only runs of this workflow"), Flag.optional),
    user: Flag.String("user").pipe(Flag.withDescription("only runs for this user"), Flag.optional),
    status: Flag.Literals("status", RunStatus.literals).pipe(
      Flag.withDescription("only runs with this status"),
      Flag.optional,
    ),
  },
  "Prints workflow runs: id, workflow, user, status, step, end of its wait, error",
  (api, given) =>
    Effect.flatMap(
      api.ListWorkflowRuns({
        limit: given.limit,
        ...Option.match(given.workflow, { onNone: () => ({}), onSome: (workflow) => ({ workflow }) }),
        ...Option.match(given.user, { onNone: () => ({}), onSome: (user_id) => ({ user_id }) }),
        ...Option.match(given.status, { onNone: () => ({}), onSome: (status) => ({ status }) }),
      }),
      (found) =>
        printItems(found.runs, given.json, (run) => [
          run.run_id,
          run.workflow,
          run.user_id,
          run.status,
          run.step,
          run.waits_until ?? "",
          run.error ?? "",
        ]),
    ),
)

const run = operatorCommand(
  "run",
  { runId, json: jsonFlag },
  "Prints the steps of a workflow run: state, step, status of its notification, notification id",
  (api, given) =>
    Effect.flatMap(api.GetWorkflowRun({ run_id: given.runId }), (found) =>
      given.json
        ? Console.log(JSON.stringify(found))
        : printItems(found.steps, false, ({ notification, state, text }) => [
            state,
            text,
            notification?.status ?? "",
            notification?.notification_id ?? "",
          ]),
    ),
)

const retryRun = operatorCommand("retry-run", { runId }, "Continues a failed workflow run", (api, given) =>
  Effect.andThen(api.RetryWorkflowRun({ run_id: given.runId }), printRow("retrying", given.runId)),
)

const sends = operatorCommand(
  "sends",
  { json: jsonFlag },
  "Prints sends to audiences: id, audience, status, percent, members",
  (api, given) =>
    Effect.flatMap(api.ListAudienceSends(), (found) =>
      printItems(found, given.json, (send) => [
        send.send_id,
        send.audience,
        send.status,
        `${send.percent} %`,
        send.members,
      ]),
    ),
)

const cancelNotification = operatorCommand(
  "cancel-notification",
  { id: Argument.String("id") },
  "Ends what was not sent yet of a notification, a workflow run or a send to an audience",
  (api, given) => Effect.andThen(api.CancelNotification({ id: given.id }), printRow("cancelling", given.id)),
)

export const commands = [runs, run, retryRun, sends, cancelNotification] as const
