/** The state of a notification, and the development mailbox. */
import { InboxMessage, NotificationState } from "@armoricore/domain/NotificationState"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { problems } from "../Problem.ts"
import { Authentication, NoStore } from "./Security.ts"

export const DeliveryResponse = Schema.Struct({
  delivery_id: Schema.String,
  channel: Schema.String,
  status: Schema.String,
  provider: Schema.optional(Schema.String),
  provider_id: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String),
  attempt: Schema.optionalKey(Schema.Int),
  /** While `deferred`: when it is sent again, RFC 3339. */
  next_attempt_at: Schema.optionalKey(Schema.String),
  updated_at: Schema.optionalKey(Schema.String),
})
export type DeliveryResponse = typeof DeliveryResponse.Type

/** Without the content and the targets: tokens and addresses are personal data. */
export const NotificationResponse = Schema.Struct({
  notification_id: NotificationState.fields.notification_id,
  user_id: NotificationState.fields.user_id,
  notification_type: NotificationState.fields.notification_type,
  status: NotificationState.fields.status,
  error: NotificationState.fields.error,
  requested_at: Schema.String,
  send_at: Schema.optionalKey(
    Schema.String.annotate({ description: "While it waits for this time or for the end of quiet hours, RFC 3339." }),
  ),
  ended_at: NotificationState.fields.ended_at,
  updated_at: NotificationState.fields.updated_at,
  deliveries: Schema.Array(DeliveryResponse),
}).annotate({ identifier: "Notification" })

export class NotificationApi extends HttpApiGroup.make("notifications")
  .add(
    HttpApiEndpoint.get("get", "/v1/notifications/:id", {
      params: {
        id: Schema.String.annotate({
          description: "The `notification_id`, or the `event_id` of the request for the notification.",
        }),
      },
      success: NotificationResponse,
      error: problems(401, 403, 404, 503),
    }).annotateMerge(
      OpenApi.annotations({ summary: "Read the state of a notification and of each of its deliveries" }),
    ),
    HttpApiEndpoint.get("inbox", "/v1/inbox", {
      success: Schema.Struct({ messages: Schema.Array(InboxMessage) }),
      error: problems(401, 403, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "List the development mailbox",
        description: "The newest messages of the caller; an operator sees the messages of all users.",
      }),
    ),
  )
  .middleware(Authentication)
  .middleware(NoStore)
  .annotateMerge(OpenApi.annotations({ title: "Notifications" })) {}
