/** The runs of workflows: one request for one user, the instructions of its workflow, and how far it is. */
import { Schema } from "effect"
import { Failure } from "./events/failure.ts"
import { NotificationType, PushOptions, Recipient } from "./events/notification.ts"
import { Metadata } from "./JsonCodecs.ts"
import { PreferenceChannel } from "./Preferences.ts"

export const StepName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/u, { expected: "a name of 1 to 64 characters of A-Z a-z 0-9 _ -" }),
)

export const outcomes = ["sent", "delivered", "read"] as const

export type Condition =
  | { readonly unread: string }
  | { readonly read: string }
  | { readonly sent: string }
  | { readonly delivered: string }
  | { readonly preference: PreferenceChannel }
  | { readonly payload: string; readonly equals?: Schema.Json; readonly exists?: boolean }
  | { readonly not: Condition }
  | { readonly all: ReadonlyArray<Condition> }
  | { readonly any: ReadonlyArray<Condition> }

export const Condition: Schema.Codec<Condition> = Schema.Union([
  Schema.Struct({ unread: StepName }),
  Schema.Struct({ read: StepName }),
  Schema.Struct({ sent: StepName }),
  Schema.Struct({ delivered: StepName }),
  Schema.Struct({ preference: PreferenceChannel }),
  Schema.Struct({
    payload: Schema.NonEmptyString,
    equals: Schema.optionalKey(Schema.Json),
    exists: Schema.optionalKey(Schema.Boolean),
  }),
  Schema.Struct({ not: Schema.suspend((): Schema.Codec<Condition> => Condition) }),
  Schema.Struct({ all: Schema.Array(Schema.suspend((): Schema.Codec<Condition> => Condition)) }),
  Schema.Struct({ any: Schema.Array(Schema.suspend((): Schema.Codec<Condition> => Condition)) }),
])

export const Instruction = Schema.Union([
  Schema.Struct({
    op: Schema.Literal("send"),
    name: Schema.String,
    type: NotificationType,
    title: Schema.optionalKey(Schema.String),
    body: Schema.optionalKey(Schema.String),
    template: Schema.optionalKey(Schema.String),
  }),
  Schema.Struct({ op: Schema.Literal("delay"), millis: Schema.Finite }),
  Schema.Struct({ op: Schema.Literal("digest"), millis: Schema.Finite, key: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ op: Schema.Literal("jump_unless"), condition: Condition, to: Schema.Int }),
  Schema.Struct({ op: Schema.Literal("jump"), to: Schema.Int }),
  /** Jumps once the step has the outcome; continues after `millis`. */
  Schema.Struct({
    op: Schema.Literal("await"),
    name: Schema.String,
    outcome: Schema.Literals(outcomes),
    millis: Schema.Finite,
    to: Schema.Int,
  }),
])
export type Instruction = typeof Instruction.Type
export type SendInstruction = Extract<Instruction, { readonly op: "send" }>

/** The fields of the request that the steps use. */
export const RunContent = Schema.Struct({
  title: Schema.String,
  body: Schema.String,
  data: Schema.Record(Schema.String, Schema.Json),
  context: Schema.Record(Schema.String, Schema.Json),
  template: Schema.optionalKey(Schema.String),
  locale: Schema.optionalKey(Schema.String),
  actor: Schema.optionalKey(Schema.String),
  app: Schema.optionalKey(Schema.String),
  push: Schema.optionalKey(Schema.toType(PushOptions)),
  recipients: Schema.Array(Schema.toType(Recipient)),
})
export type RunContent = typeof RunContent.Type

/** One request of a digest. */
export const DigestItem = Schema.Struct({
  run_id: Schema.String,
  title: Schema.String,
  body: Schema.String,
  data: Schema.toType(Metadata),
  context: Schema.toType(Metadata),
  actor: Schema.optionalKey(Schema.String),
})
export type DigestItem = typeof DigestItem.Type

export const runStatuses = ["running", "done", "failed", "digested", "cancelled"] as const
export const RunStatus = Schema.Literals(runStatuses)

export const WorkflowRun = Schema.Struct({
  run_id: Schema.String,
  workflow: Schema.String,
  category: Schema.optionalKey(Schema.String),
  user_id: Schema.String,
  source_event_id: Schema.String,
  request_id: Schema.optionalKey(Schema.String),
  content: RunContent,
  instructions: Schema.Array(Instruction),
  /** The index of the instruction that is next. */
  position: Schema.Int,
  /** `digested`: the run of the first request of its digest continues for it. */
  status: RunStatus,
  /** Why the instruction at `position` failed, after all its attempts. An operator may retry it. */
  error: Schema.optionalKey(Failure),
  /** Of the instruction at `position`, epoch milliseconds. */
  wake_at: Schema.optionalKey(Schema.Finite),
  /** The key of the digest that the run is part of. */
  digest_key: Schema.optionalKey(Schema.String),
  /** Of a `digested` run: the run that continues for it. */
  digest_leader: Schema.optionalKey(Schema.String),
  digest: Schema.optionalKey(Schema.Array(DigestItem)),
  /** The notifications of the steps so far, by the name of the step. */
  sent: Schema.Record(Schema.String, Schema.String),
  /** The time of the request, RFC 3339. */
  started_at: Schema.String,
  updated_at: Schema.String,
})
export type WorkflowRun = typeof WorkflowRun.Type

/** Whether further steps may follow. */
export const isOpenRun = ({ status }: Pick<WorkflowRun, "status">): boolean =>
  status === "running" || status === "failed"

/** An open digest: the run of its first request waits until it closes. */
export const Digest = Schema.Struct({
  run_id: Schema.String,
  closes_at: Schema.Finite,
  /** The run takes the items; a further request begins the next digest after that. */
  closed: Schema.optionalKey(Schema.Literal(true)),
  items: Schema.Array(DigestItem),
})
export type Digest = typeof Digest.Type
