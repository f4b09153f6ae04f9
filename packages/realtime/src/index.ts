/** Phoenix Channels over WebSocket, and how to write one. */
export * as Channel from "./Channel.ts"
export * as Endpoint from "./Endpoint.ts"
export * as JoinPolicy from "./JoinPolicy.ts"
export * as Operator from "./Operator.ts"
export * as Realtime from "./Realtime.ts"
export * as RealtimeWorker from "./RealtimeWorker.ts"
export * as Refusal from "./Refusal.ts"
export { Topics } from "./Topics.ts"
