/** Notifications with their deliveries, workflow runs, audience sends and templates. */
import { NotificationRequested } from "@armoricore/domain/events/notification"
import { Preferences } from "@armoricore/domain/Preferences"
import { RunStatus } from "@armoricore/domain/WorkflowRun"
import { stepStates } from "@armoricore/domain/WorkflowRunSteps"
import { Schema } from "effect"

export const DeliveryInfo = Schema.Struct({
  channel: Schema.String,
  /** `pending` before the first attempt. */
  status: Schema.String,
  provider: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  /** Calls of the provider. */
  attempts: Schema.Int,
  /** The last answer of the provider, if it refused. */
  message: Schema.optionalKey(Schema.String),
  /** The id that the provider gave the message. */
  provider_id: Schema.optionalKey(Schema.String),
  /** RFC 3339. */
  next_attempt_at: Schema.optionalKey(Schema.String),
})
export type DeliveryInfo = typeof DeliveryInfo.Type

export const NotificationInfo = Schema.Struct({
  notification_id: Schema.String,
  notification_type: Schema.String,
  status: Schema.String,
  title: Schema.String,
  /** RFC 3339. */
  requested_at: Schema.String,
  error: Schema.optionalKey(Schema.String),
  /** The first 20. */
  deliveries: Schema.Array(DeliveryInfo),
  delivery_count: Schema.Int,
})
export type NotificationInfo = typeof NotificationInfo.Type

/** Devices, preferences and inbox of a user; times are RFC 3339. */
export const UserReach = Schema.Struct({
  devices: Schema.Array(
    Schema.Struct({
      device_id: Schema.String,
      platform: Schema.String,
      app: Schema.optionalKey(Schema.String),
      locale: Schema.optionalKey(Schema.String),
      time_zone: Schema.optionalKey(Schema.String),
      registered_at: Schema.String,
    }),
  ),
  preferences: Preferences,
  inbox: Schema.Struct({
    unread: Schema.Int,
    /** The newest 20, newest first. */
    items: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        title: Schema.String,
        created_at: Schema.String,
        read_at: Schema.optionalKey(Schema.String),
        archived_at: Schema.optionalKey(Schema.String),
      }),
    ),
  }),
})
export type UserReach = typeof UserReach.Type

export const WorkflowRunInfo = Schema.Struct({
  run_id: Schema.String,
  workflow: Schema.String,
  user_id: Schema.String,
  status: RunStatus,
  title: Schema.String,
  /** The step at which it is, such as `delay 1 h`. */
  step: Schema.String,
  /** When the wait of that step ends, RFC 3339. */
  waits_until: Schema.optionalKey(Schema.String),
  error: Schema.optionalKey(Schema.String),
  started_at: Schema.String,
  updated_at: Schema.String,
})
export type WorkflowRunInfo = typeof WorkflowRunInfo.Type

export const WorkflowRunDetail = Schema.Struct({
  ...WorkflowRunInfo.fields,
  steps: Schema.Array(
    Schema.Struct({
      text: Schema.String,
      state: Schema.Literals(stepStates),
      notification: Schema.optionalKey(NotificationInfo),
    }),
  ),
})
export type WorkflowRunDetail = typeof WorkflowRunDetail.Type

export const WorkflowRunFilter = {
  workflow: Schema.optionalKey(Schema.String),
  user_id: Schema.optionalKey(Schema.String),
  status: Schema.optionalKey(RunStatus),
  limit: Schema.optionalKey(Schema.Int),
}

export const WorkflowRuns = Schema.Struct({
  /** Workflows that have runs. */
  workflows: Schema.Array(Schema.String),
  /** Newest first. */
  runs: Schema.Array(WorkflowRunInfo),
})
export type WorkflowRuns = typeof WorkflowRuns.Type

export const AudienceSendInfo = Schema.Struct({
  send_id: Schema.String,
  audience: Schema.String,
  status: Schema.Literals(["running", "done", "cancelled"]),
  title: Schema.String,
  /** Members that were notified so far. */
  members: Schema.Int,
  percent: Schema.Int,
  started_at: Schema.String,
  updated_at: Schema.String,
})
export type AudienceSendInfo = typeof AudienceSendInfo.Type

export const TemplateRequest = Schema.Struct({
  template: Schema.String,
  /** JSON object. */
  context: Schema.String.check(Schema.isMaxLength(100_000)),
  locale: Schema.optionalKey(Schema.String),
})

export type TemplateRequest = typeof TemplateRequest.Type

export const RenderedTemplate = Schema.Struct({
  title: Schema.String,
  text: Schema.String,
  html: Schema.optionalKey(Schema.String),
})
export type RenderedTemplate = typeof RenderedTemplate.Type

export const TestNotification = Schema.Struct({ request: NotificationRequested })
