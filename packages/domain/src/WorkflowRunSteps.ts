/** The steps of a workflow run in words, with how far each is. */
import type { Instruction, WorkflowRun } from "./WorkflowRun.ts"

/** `skipped`: a condition led past it. */
export const stepStates = ["done", "skipped", "current", "failed", "open"] as const
export type StepState = (typeof stepStates)[number]

export interface RunStep {
  readonly instruction: Exclude<Instruction, { readonly op: "jump" }>
  /** Such as `delay 1 h`. */
  readonly text: string
  readonly state: StepState
}

/** The step at which the run is; empty at its end. */
export const currentStepOf = ({ instructions, position }: WorkflowRun): string => {
  const current = instructions[position]
  return current === undefined || current.op === "jump" ? "" : textOf(current)
}

/** When the wait of the current step ends, RFC 3339. */
export const waitsUntil = ({ status, wake_at }: WorkflowRun): string | undefined =>
  wake_at === undefined || status !== "running" ? undefined : new Date(wake_at).toISOString()

/** A jump is no step of the file. */
export const stepsOf = (run: WorkflowRun): ReadonlyArray<RunStep> =>
  run.instructions.flatMap((instruction, index) =>
    instruction.op === "jump"
      ? []
      : [{ instruction, text: textOf(instruction), state: stateOf(run, instruction, index) }],
  )

const stateOf = ({ position, sent, status }: WorkflowRun, instruction: Instruction, index: number): StepState => {
  if (index > position) return "open"
  if (index === position) return status === "failed" ? "failed" : status === "running" ? "current" : "open"
  return instruction.op === "send" && !Object.hasOwn(sent, instruction.name) ? "skipped" : "done"
}

const textOf = (instruction: RunStep["instruction"]): string => {
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
  }
}

const timeOf = (millis: number): string => {
  const seconds = millis / 1_000
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
