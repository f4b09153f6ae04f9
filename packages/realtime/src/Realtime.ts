/**
 * The realtime service as one layer: channels, topics, bus bridge and endpoint. The owner of the HTTP server passes its
 * `upgrade` events to `Endpoint.handleUpgrade` and its `request` events to `Endpoint.handleRequest`.
 */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import type { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { UserInbox } from "@armoricore/state/UserInbox"
import { type Duration, Layer } from "effect"
import type { History } from "@armoricore/history/History"
import * as AuthorizeHook from "./access/AuthorizeHook.ts"
import type { TopicDeclaration } from "./access/ChannelsFile.ts"
import * as RoomAccess from "./access/RoomAccess.ts"
import * as RoomMembers from "./access/RoomMembers.ts"
import * as RoomMembership from "./access/RoomMembership.ts"
import * as BusBridge from "./pubsub/BusBridge.ts"
import * as BuiltInChannels from "./channels/BuiltInChannels.ts"
import * as RoomChannel from "./channels/RoomChannel.ts"
import { ChannelRegistry } from "./channel/ChannelRegistry.ts"
import { Cluster, type ClusterOptions } from "./cluster/Cluster.ts"
import * as ClusterTopics from "./cluster/ClusterTopics.ts"
import { CommentRateLimit } from "./channels/CommentRateLimit.ts"
import { EditWindow } from "./channels/MessageActions.ts"
import { Endpoint, type EndpointOptions } from "./socket/Endpoint.ts"
import { Inboxes } from "./inbox/Inboxes.ts"
import { MediaTopicPolicy } from "./channels/MediaChannel.ts"
import type { Rate } from "./socket/Limits.ts"
import * as RealtimeAdmin from "./admin/RealtimeAdmin.ts"
import * as PublishBuffer from "./pubsub/PublishBuffer.ts"
import * as Presence from "./presence/Presence.ts"
import * as MessageChanges from "./rooms/MessageChanges.ts"
import * as ReadState from "./rooms/ReadState.ts"
import * as RoomLog from "./rooms/RoomLog.ts"
import * as TopicAccess from "./topics/TopicAccess.ts"
import { Topics } from "./pubsub/Topics.ts"

export interface RealtimeOptions extends EndpointOptions {
  /** `MEDIA_TOPIC_POLICY`; default `public`. */
  readonly mediaTopicPolicy?: "public" | "owner"
  /** How often a user may comment, over all streams and nodes; default once a second. */
  readonly commentRate?: Rate
  readonly presence?: Presence.PresenceOptions
  /** How long the author of a message may edit it; default one day. */
  readonly editWindow?: Duration.Duration
  readonly readState?: ReadState.ReadStateOptions
  /** Who may join which topic; default: every valid token. */
  readonly access?: RoomAccess.RoomAccessOptions
  /** `CHANNELS_FILE`: topics with their policies and limits; default none. */
  readonly channels?: ReadonlyArray<TopicDeclaration>
  /** `AUTHORIZE_URL`; default: no hook. */
  readonly authorize?: AuthorizeHook.AuthorizeHookOptions
  /** Set where other nodes share the bus and the history. Absent: a single node, which does less work. */
  readonly cluster?: ClusterOptions
}

export const layer = (
  options: RealtimeOptions = {},
): Layer.Layer<
  | Cluster
  | Endpoint
  | Inboxes
  | RealtimeAdmin.RealtimeAdmin
  | MessageChanges.MessageChanges
  | ReadState.ReadState
  | RoomLog.RoomLog
  | RoomMembership.RoomMembership
  | TopicAccess.TopicAccess
  | Topics
  | ChannelRegistry,
  TransientError | ConfigurationError,
  EventBus | History | KeyValue | Revocations | Tokens
> =>
  Layer.mergeAll(RealtimeAdmin.layer, RoomMembership.layer, TopicAccess.layer).pipe(
    Layer.provideMerge(Endpoint.layer(options)),
    Layer.provide([BuiltInChannels.layer, BusBridge.layer]),
    Layer.provide([
      RoomAccess.layer({ rules: options.channels ?? [], ...options.access }),
      Layer.succeed(RoomChannel.DeclaredTopics, options.channels ?? []),
    ]),
    Layer.provide([
      RoomMembers.layer,
      options.authorize === undefined ? AuthorizeHook.layerDisabled : AuthorizeHook.layer(options.authorize),
    ]),
    Layer.provide(options.mediaTopicPolicy === "owner" ? MediaTopicPolicy.layerOwner : MediaTopicPolicy.layerPublic),
    Layer.provide(options.editWindow === undefined ? Layer.empty : Layer.succeed(EditWindow, options.editWindow)),
    Layer.provideMerge([MessageChanges.layer, ReadState.layer(options.readState)]),
    Layer.provide([CommentRateLimit.layer(options.commentRate), Presence.layer(options.presence)]),
    Layer.provide(PublishBuffer.layer()),
    Layer.provideMerge(Layer.merge(RoomLog.layer, Layer.provide(Inboxes.layer, UserInbox.layer))),
    Layer.provideMerge([options.cluster === undefined ? Topics.layer : ClusterTopics.layer, ChannelRegistry.layer]),
    Layer.provideMerge(options.cluster === undefined ? Cluster.layerSingleNode : Cluster.layer(options.cluster)),
  )
