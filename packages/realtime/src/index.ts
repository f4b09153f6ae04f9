/** Phoenix Channels over WebSocket and long poll, and the API to write a channel. */
export * as Channel from "./channel/Channel.ts"
export { Endpoint, type EndpointOptions } from "./socket/Endpoint.ts"
export * as JoinPolicy from "./channel/JoinPolicy.ts"
export * as RealtimeAdmin from "./admin/RealtimeAdmin.ts"
export * as Realtime from "./Realtime.ts"
export * as RealtimeWorker from "./pubsub/RealtimeWorker.ts"
export * as ChannelError from "./channel/ChannelError.ts"
export { Topics } from "./pubsub/Topics.ts"
