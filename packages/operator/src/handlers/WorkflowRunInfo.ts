/** A workflow run as operators see it: its steps with their states, and the notifications that they sent. */
import type { WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { currentStepOf, stepsOf, waitsUntil } from "@armoricore/domain/WorkflowRunSteps"
import type { NotificationInfo, WorkflowRunDetail, WorkflowRunInfo } from "../api/Notification.ts"

export const infoOf = (run: WorkflowRun): WorkflowRunInfo => {
  const { content, error, run_id, started_at, status, updated_at, user_id, workflow } = run
  const waits_until = waitsUntil(run)
  return {
    run_id,
    workflow,
    user_id,
    status,
    title: content.title,
    step: currentStepOf(run),
    ...(waits_until === undefined ? {} : { waits_until }),
    ...(error === undefined ? {} : { error: `${error.code}: ${error.message}` }),
    started_at,
    updated_at,
  }
}

/** `sent`: the notifications by the names of their steps; undefined: it is not stored any more. */
export const detailOf = (
  run: WorkflowRun,
  sent: ReadonlyMap<string, NotificationInfo | undefined>,
): WorkflowRunDetail => ({
  ...infoOf(run),
  steps: stepsOf(run).map(({ instruction, state, text }) => {
    const notification = instruction.op === "send" ? sent.get(instruction.name) : undefined
    return { text, state, ...(notification === undefined ? {} : { notification }) }
  }),
})
