export * as DirectGet from "./DirectGet.ts";
export * as NatsConnection from "./NatsConnection.ts";
export * as NatsErrors from "./NatsErrors.ts";
export * as NatsPublisher from "./NatsPublisher.ts";
export * as NatsResource from "./NatsResource.ts";
