/** The HTTP surface for publishers and clients; each module is a Layer of routes that needs ports alone. */
export * as EventRoutes from "./EventRoutes.ts"
export * as MediaRoutes from "./MediaRoutes.ts"
export * as NotFoundRoute from "./NotFoundRoute.ts"
export * as NotificationRoutes from "./NotificationRoutes.ts"
export * as Problem from "./Problem.ts"
export * as TranscriptRoutes from "./TranscriptRoutes.ts"
export * as UploadRoutes from "./UploadRoutes.ts"
export * as ResultWebhook from "./ResultWebhook.ts"
