/**
 * A workflow as its file describes it: steps with names, waits, digests, conditions and ordered fallbacks. `compile` turns it
 * into a list of instructions; a run stores the list, so that a changed file affects only later runs.
 */
import { NotificationType } from "@armoricore/domain/events/notification"
import { Condition, type Instruction, outcomes, StepName } from "@armoricore/domain/WorkflowRun"
import { Effect, Result, Schema } from "effect"

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const maxWaitMillis = 90 * 86_400_000

/** `30s`, `10m`, `2h`, `7d`. */
const millisOf = (text: string): number => {
  const [, count = "", unit = ""] = /^([0-9]{1,6})\s*([smhd])$/.exec(text) ?? []
  return Number(count) * (units[unit] ?? Number.NaN)
}

const Wait = Schema.String.check(
  Schema.makeFilter((text: string) => {
    const millis = millisOf(text)
    return (millis > 0 && millis <= maxWaitMillis) || "must be a time such as 30s, 10m, 2h or 7d, at most 90d"
  }),
)

const Send = Schema.Struct({
  type: NotificationType,
  /** For conditions; default: the type. */
  name: Schema.optionalKey(StepName),
  /** Default: those of the request. */
  title: Schema.optionalKey(Schema.String),
  body: Schema.optionalKey(Schema.String),
  template: Schema.optionalKey(Schema.NonEmptyString),
})
type Send = typeof Send.Type

export type Step =
  | Send
  | { readonly type: "delay"; readonly for: string }
  | { readonly type: "digest"; readonly window: string; readonly key?: string }
  | {
      readonly type: "when"
      readonly condition: Condition
      readonly steps: ReadonlyArray<Step>
      readonly else?: ReadonlyArray<Step>
    }
  | {
      readonly type: "until_delivered"
      readonly steps: ReadonlyArray<Send>
      readonly wait: string
      readonly outcome?: (typeof outcomes)[number]
    }

const steps = Schema.Array(Schema.suspend((): Schema.Codec<Step> => Step)).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(100),
)

export const Step: Schema.Codec<Step> = Schema.Union([
  Send,
  Schema.Struct({ type: Schema.Literal("delay"), for: Wait }),
  Schema.Struct({ type: Schema.Literal("digest"), window: Wait, key: Schema.optionalKey(Schema.NonEmptyString) }),
  Schema.Struct({ type: Schema.Literal("when"), condition: Condition, steps, else: Schema.optionalKey(steps) }),
  Schema.Struct({
    type: Schema.Literal("until_delivered"),
    steps: Schema.Array(Send).check(Schema.isMinLength(2)),
    wait: Wait,
    outcome: Schema.optionalKey(Schema.Literals(outcomes)),
  }),
])

export const Workflow = Schema.Struct({
  name: StepName,
  category: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[a-z0-9_-]{1,64}$/u))),
  /** Its category ignores preferences and quiet hours. */
  critical: Schema.optionalKey(Schema.Boolean),
  steps,
}).check(
  Schema.makeFilter(({ category, critical }: { readonly category?: string; readonly critical?: boolean }) =>
    critical === true && category === undefined
      ? { path: ["category"], issue: "a critical workflow needs a category" }
      : undefined,
  ),
)
export type Workflow = typeof Workflow.Type

/** The failure says which name is wrong, as a clause that follows the file's name. */
export const compile = (workflow: Workflow): Effect.Effect<ReadonlyArray<Instruction>, string> =>
  Effect.suspend(() => {
    const result = compileSteps(workflow.steps)
    return Result.isFailure(result) ? Effect.fail(result.failure) : Effect.succeed(result.success)
  })

const compileSteps = (all: ReadonlyArray<Step>): Result.Result<ReadonlyArray<Instruction>, string> => {
  const instructions: Array<Instruction> = []
  const names = new Set<string>()
  const faults: Array<string> = []

  const add = (instruction: Instruction): number => instructions.push(instruction) - 1

  const send = ({ body, name, template, title, type }: Send): string => {
    const own = name ?? type
    if (names.has(own)) faults.push(`has two steps ${own}; give each a name of its own`)
    names.add(own)
    const texts = {
      ...(title === undefined ? {} : { title }),
      ...(body === undefined ? {} : { body }),
      ...(template === undefined ? {} : { template }),
    }
    add({ op: "send", name: own, type, ...texts })
    return own
  }

  const check = (condition: Condition): void => {
    if ("not" in condition) return check(condition.not)
    if ("all" in condition) return condition.all.forEach(check)
    if ("any" in condition) return condition.any.forEach(check)
    if ("payload" in condition || "preference" in condition) return
    const [name = ""] = Object.values(condition)
    if (!names.has(name)) faults.push(`has a condition on the step ${name}, and no step of this name before it`)
  }

  const compileAll = (list: ReadonlyArray<Step>): void => {
    for (const step of list) {
      switch (step.type) {
        case "delay":
          add({ op: "delay", millis: millisOf(step.for) })
          break
        case "digest":
          add({ op: "digest", millis: millisOf(step.window), ...(step.key === undefined ? {} : { key: step.key }) })
          break
        case "when": {
          check(step.condition)
          const branch = add({ op: "jump", to: 0 })
          compileAll(step.steps)
          const end = step.else === undefined ? undefined : add({ op: "jump", to: 0 })
          instructions[branch] = { op: "jump_unless", condition: step.condition, to: instructions.length }
          if (end === undefined) break
          compileAll(step.else ?? [])
          instructions[end] = { op: "jump", to: instructions.length }
          break
        }
        case "until_delivered": {
          const waits: Array<number> = []
          step.steps.forEach((fallback, index) => {
            const name = send(fallback)
            if (index === step.steps.length - 1) return
            const outcome = step.outcome ?? "sent"
            waits.push(add({ op: "await", name, outcome, millis: millisOf(step.wait), to: 0 }))
          })
          for (const at of waits) {
            const wait = instructions[at]
            if (wait?.op === "await") instructions[at] = { ...wait, to: instructions.length }
          }
          break
        }
        default:
          send(step)
      }
    }
  }

  compileAll(all)
  const [fault] = faults
  return fault === undefined ? Result.succeed(instructions) : Result.fail(fault)
}
