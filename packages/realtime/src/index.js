/** Phoenix Channels over WebSocket and long poll, and the API to write a channel. */
export * as Channel from "./channel/Channel.ts";
export { Endpoint } from "./socket/Endpoint.ts";
export { RoomMembership } from "./access/RoomMembership.ts";
export * as JoinPolicy from "./channel/JoinPolicy.ts";
export * as RealtimeAdmin from "./admin/RealtimeAdmin.ts";
export * as Realtime from "./Realtime.ts";
export * as RealtimeWorker from "./pubsub/RealtimeWorker.ts";
export * as ChannelError from "./channel/ChannelError.ts";
export { TopicAccess } from "./topics/TopicAccess.ts";
export { Topics } from "./pubsub/Topics.ts";
