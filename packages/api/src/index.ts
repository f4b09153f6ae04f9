/** The HTTP surface for publishers and clients; each module is a Layer of routes that needs ports alone. */
export * as Events from "./Events.ts"
export * as Media from "./Media.ts"
export * as NotFound from "./NotFound.ts"
export * as Notifications from "./Notifications.ts"
export * as Problem from "./Problem.ts"
export * as Transcripts from "./Transcripts.ts"
export * as Uploads from "./Uploads.ts"
export * as Webhook from "./Webhook.ts"
