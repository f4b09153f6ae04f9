/** Commands of operators to `notify`, sent as internal work. */
import { Schema } from "effect"
import { NotificationRequested } from "./events/notification.ts"

/** Kind of internal work of the service `notify`; it is part of queue names. */
export const notificationCommandKind = "control"

export const NotificationCommand = Schema.Union([
  /** Ends what was not sent yet of a notification, a workflow run or an audience send. */
  Schema.Struct({ action: Schema.Literal("cancel"), id: Schema.String }),
  /** Continues a failed workflow run. */
  Schema.Struct({ action: Schema.Literal("retry_run"), run_id: Schema.String }),
  /** Sends a notification as a test. */
  Schema.Struct({ action: Schema.Literal("send"), request: NotificationRequested }),
])
export type NotificationCommand = typeof NotificationCommand.Type
