/** The operators' API and console. */
export { Audit } from "./Audit.ts";
export * as ConsoleServer from "./ConsoleServer.ts";
export * as Handlers from "./Handlers.ts";
export { LogControl } from "./LogControl.ts";
export * as NodeRequests from "./NodeRequests.ts";
export { OperatorApi } from "./OperatorApi.ts";
export { OperatorClient } from "./OperatorClient.ts";
export * as OperatorServer from "./OperatorServer.ts";
export * as Reviews from "./Reviews.ts";
