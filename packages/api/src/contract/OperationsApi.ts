/**
 * Routes that other packages serve: probes and metrics (`armoricore`), provider webhooks and unsubscribe links
 * (`notify`). They are declared here for the OpenAPI document only.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "../Problem.ts"

const Readiness = Schema.Struct({
  ready: Schema.Boolean,
  degraded: Schema.Boolean,
  reasons: Schema.Array(Schema.String),
}).annotate({ identifier: "Readiness" })

const html = Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/html" }))

export class OperationsApi extends HttpApiGroup.make("operations")
  .add(
    HttpApiEndpoint.get("healthz", "/healthz", {
      success: Schema.Struct({ status: Schema.Literal("ok"), version: Schema.String }),
    }).annotateMerge(OpenApi.annotations({ summary: "Liveness probe" })),
    HttpApiEndpoint.get("readyz", "/readyz", {
      success: Readiness,
      error: Readiness.pipe(HttpApiSchema.status(503)),
    }).annotateMerge(OpenApi.annotations({ summary: "Readiness probe, with the reasons when not ready" })),
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })),
    }).annotateMerge(OpenApi.annotations({ summary: "Metrics in the Prometheus text format" })),
  )
  .annotateMerge(OpenApi.annotations({ title: "Operations" })) {}

export class WebhookApi extends HttpApiGroup.make("webhooks")
  .add(
    HttpApiEndpoint.post("sendgrid", "/v1/webhooks/sendgrid", {
      payload: Schema.Array(Schema.Unknown),
      success: HttpApiSchema.NoContent,
      error: problems(400, 401, 413, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "Event webhook of SendGrid, verified by its signature" })),
    HttpApiEndpoint.post("ses", "/v1/webhooks/ses", {
      payload: Schema.Unknown,
      success: HttpApiSchema.NoContent,
      error: problems(400, 401, 403, 413, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "SES events from SNS, verified by the SNS signature" })),
    HttpApiEndpoint.post("twilio", "/v1/webhooks/twilio", {
      payload: Schema.Record(Schema.String, Schema.String).pipe(HttpApiSchema.asFormUrlEncoded()),
      success: HttpApiSchema.NoContent,
      error: problems(400, 401, 413, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "Delivery reports of Twilio, verified by their signature" })),
    HttpApiEndpoint.get("preferencePage", "/v1/preferences/:token", {
      params: { token: Schema.String },
      success: html,
      error: [html.pipe(HttpApiSchema.status(404)), html.pipe(HttpApiSchema.status(503))],
    }).annotateMerge(
      OpenApi.annotations({ summary: "Page of the link in mails, where a reader chooses what to receive" }),
    ),
    HttpApiEndpoint.post("savePreferences", "/v1/preferences/:token", {
      params: { token: Schema.String },
      success: html,
      error: [
        html.pipe(HttpApiSchema.status(400)),
        html.pipe(HttpApiSchema.status(404)),
        html.pipe(HttpApiSchema.status(503)),
      ],
    }).annotateMerge(OpenApi.annotations({ summary: "Save the choice of that page" })),
    HttpApiEndpoint.get("unsubscribePage", "/v1/unsubscribe/:token", {
      params: { token: Schema.String },
      success: html,
      error: html.pipe(HttpApiSchema.status(404)),
    }).annotateMerge(OpenApi.annotations({ summary: "Confirmation page of an unsubscribe link" })),
    HttpApiEndpoint.post("unsubscribe", "/v1/unsubscribe/:token", {
      params: { token: Schema.String },
      success: html,
      error: [html.pipe(HttpApiSchema.status(404)), html.pipe(HttpApiSchema.status(503))],
    }).annotateMerge(OpenApi.annotations({ summary: "One-click unsubscribe (RFC 8058)" })),
  )
  .annotateMerge(OpenApi.annotations({ title: "Webhooks and links in messages" })) {}
