/** The HTTP API for publishers and clients: the contract, its handlers over ports, a client, and the result webhook. */
export { ApiClient } from "./ApiClient.ts";
export * as ApiRoutes from "./ApiRoutes.ts";
export { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
export * as NotFoundRoute from "./NotFoundRoute.ts";
export * as OpenApiDocument from "./OpenApiDocument.ts";
export * as Problem from "./Problem.ts";
export * as ResultWebhook from "./ResultWebhook.ts";
export * as UploadHandlers from "./UploadHandlers.ts";
