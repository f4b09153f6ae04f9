import { UserInbox } from "@armoricore/state/UserInbox";
import { Layer } from "effect";
import * as AuthorizeHook from "./access/AuthorizeHook.ts";
import * as RoomAccess from "./access/RoomAccess.ts";
import * as RoomMembers from "./access/RoomMembers.ts";
import * as RoomMembership from "./access/RoomMembership.ts";
import * as BusBridge from "./pubsub/BusBridge.ts";
import * as BuiltInChannels from "./channels/BuiltInChannels.ts";
import * as RoomChannel from "./channels/RoomChannel.ts";
import { ChannelRegistry } from "./channel/ChannelRegistry.ts";
import { Cluster } from "./cluster/Cluster.ts";
import * as ClusterTopics from "./cluster/ClusterTopics.ts";
import { CommentRateLimit } from "./channels/CommentRateLimit.ts";
import { EditWindow } from "./channels/MessageActions.ts";
import { Endpoint } from "./socket/Endpoint.ts";
import { Inboxes } from "./inbox/Inboxes.ts";
import { MediaTopicPolicy } from "./channels/MediaChannel.ts";
import * as RealtimeAdmin from "./admin/RealtimeAdmin.ts";
import * as PublishBuffer from "./pubsub/PublishBuffer.ts";
import * as Presence from "./presence/Presence.ts";
import * as MessageChanges from "./rooms/MessageChanges.ts";
import * as ReadState from "./rooms/ReadState.ts";
import * as RoomLog from "./rooms/RoomLog.ts";
import * as TopicAccess from "./topics/TopicAccess.ts";
import { Topics } from "./pubsub/Topics.ts";
export const layer = (options = {}) => Layer.mergeAll(RealtimeAdmin.layer, RoomMembership.layer, TopicAccess.layer).pipe(Layer.provideMerge(Endpoint.layer(options)), Layer.provide([BuiltInChannels.layer, BusBridge.layer]), Layer.provide([
    RoomAccess.layer({ rules: options.channels ?? [], ...options.access }),
    Layer.succeed(RoomChannel.DeclaredTopics, options.channels ?? []),
]), Layer.provide([
    RoomMembers.layer,
    options.authorize === undefined ? AuthorizeHook.layerDisabled : AuthorizeHook.layer(options.authorize),
]), Layer.provide(options.mediaTopicPolicy === "owner" ? MediaTopicPolicy.layerOwner : MediaTopicPolicy.layerPublic), Layer.provide(options.editWindow === undefined ? Layer.empty : Layer.succeed(EditWindow, options.editWindow)), Layer.provideMerge([MessageChanges.layer, ReadState.layer(options.readState)]), Layer.provide([CommentRateLimit.layer(options.commentRate), Presence.layer(options.presence)]), Layer.provide(PublishBuffer.layer()), Layer.provideMerge(Layer.merge(RoomLog.layer, Layer.provide(Inboxes.layer, UserInbox.layer))), Layer.provideMerge([options.cluster === undefined ? Topics.layer : ClusterTopics.layer, ChannelRegistry.layer]), Layer.provideMerge(options.cluster === undefined ? Cluster.layerSingleNode : Cluster.layer(options.cluster)));
