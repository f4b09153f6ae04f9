/** A workflow run as operators see it: its steps with their states, and the notifications that they sent. */
import type { Instruction, WorkflowRun } from "@armoricore/domain/WorkflowRun"
import type { NotificationInfo, WorkflowRunDetail, WorkflowRunInfo } from "../api/Notification.ts"

export const infoOf = (run: WorkflowRun): WorkflowRunInfo => {
  const { content, error, instructions, position, run_id, started_at, status, updated_at, user_id, wake_at } = run
  const current = instructions[position]
  return {
    run_id,
    workflow: run.workflow,
    user_id,
    status,
    title: content.title,
    step: current === undefined ? "" : textOf(current),
    ...(wake_at === undefined || status !== "running" ? {} : { waits_until: new Date(wake_at).toISOString() }),
    ...(error === undefined ? {} : { error: `${error.code}: ${error.message}` }),
    started_at,
    updated_at,
  }
}

type StepState = WorkflowRunDetail["steps"][number]["state"]

/** `sent`: the notifications by the names of their steps; undefined: it is not stored any more. */
export const detailOf = (
  run: WorkflowRun,
  sent: ReadonlyMap<string, NotificationInfo | undefined>,
): WorkflowRunDetail => ({
  ...infoOf(run),
  steps: run.instructions.flatMap((instruction, index) => {
    // A jump is no step of the file.
    if (instruction.op === "jump") return []
    const notification = instruction.op === "send" ? sent.get(instruction.name) : undefined
    return [
      {
        text: textOf(instruction),
        state: stateOf(run, instruction, index),
        ...(notification === undefined ? {} : { notification }),
      },
    ]
  }),
})

const stateOf = ({ position, sent, status }: WorkflowRun, instruction: Instruction, index: number): StepState => {
  if (index > position) return "open"
  if (index === position) return status === "failed" ? "failed" : status === "running" ? "current" : "open"
  return instruction.op === "send" && !Object.hasOwn(sent, instruction.name) ? "skipped" : "done"
}

const textOf = (instruction: Instruction): string => {
  switch (instruction.op) {
    case "send":
      return instruction.name === instruction.type ? instruction.type : `${instruction.type} ${instruction.name}`
    case "delay":
      return `delay ${timeOf(instruction.millis)}`
    case "digest":
      return `digest of ${timeOf(instruction.millis)}${instruction.key === undefined ? "" : ` by ${instruction.key}`}`
    case "jump_unless":
      return `when ${JSON.stringify(instruction.condition)}`
    case "await":
      return `wait up to ${timeOf(instruction.millis)} until ${instruction.name} is ${instruction.outcome}`
    case "jump":
      return ""
  }
}

const timeOf = (millis: number): string => {
  const seconds = millis / 1_000
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
