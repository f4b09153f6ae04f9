/**
 * The realtime service as one layer: channels, hub, bus feed, endpoint. Its user passes the HTTP server's `upgrade`
 * events to `Endpoint.handleUpgrade`. A new channel is one more line in `channels`.
 */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import type { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { Layer } from "effect"
import type { History } from "@armoricore/history/History"
import * as BusFeed from "./BusFeed.ts"
import * as ChatChannel from "./channels/ChatChannel.ts"
import * as CommentsChannel from "./channels/CommentsChannel.ts"
import * as MediaChannel from "./channels/MediaChannel.ts"
import * as PresenceChannel from "./channels/PresenceChannel.ts"
import * as UserChannel from "./channels/UserChannel.ts"
import { Channels } from "./Channels.ts"
import { Cluster, type ClusterOptions } from "./cluster/Cluster.ts"
import * as ClusterTopics from "./cluster/ClusterTopics.ts"
import { CommentRate } from "./CommentRate.ts"
import * as Endpoint from "./Endpoint.ts"
import { MediaTopicPolicy } from "./MediaTopicPolicy.ts"
import type { Rate } from "./Limits.ts"
import * as Operator from "./Operator.ts"
import * as Outbox from "./Outbox.ts"
import * as Presence from "./presence/Presence.ts"
import * as Timeline from "./Timeline.ts"
import { Topics } from "./Topics.ts"

export interface RealtimeOptions extends Endpoint.EndpointOptions {
  /** `MEDIA_TOPIC_POLICY`; default `public`. */
  readonly mediaTopicPolicy?: "public" | "owner"
  /** How often a user may comment; default once a second. */
  readonly commentRate?: Rate
  readonly presence?: Presence.PresenceOptions
  /** Other nodes share the bus and its history with this one. Absent: it is alone, which costs less. */
  readonly cluster?: ClusterOptions
}

const channels = Layer.mergeAll(
  ChatChannel.layer,
  CommentsChannel.layer,
  PresenceChannel.layer,
  MediaChannel.layer,
  UserChannel.layer,
)

export const layer = (
  options: RealtimeOptions = {},
): Layer.Layer<
  Cluster | Endpoint.Endpoint | Operator.Operator | Timeline.Timeline | Topics | Channels,
  TransientError | ConfigurationError,
  EventBus | History | KeyValue | Revocations | Tokens
> =>
  Operator.layer.pipe(
    Layer.provideMerge(Endpoint.layer(options)),
    Layer.provide([channels, BusFeed.layer]),
    Layer.provide(options.mediaTopicPolicy === "owner" ? MediaTopicPolicy.layerOwner : MediaTopicPolicy.layerPublic),
    Layer.provide([CommentRate.layer(options.commentRate), Presence.layer(options.presence)]),
    Layer.provide(Outbox.layer()),
    Layer.provideMerge(Timeline.layer),
    Layer.provideMerge([options.cluster === undefined ? Topics.layer : ClusterTopics.layer, Channels.layer]),
    Layer.provideMerge(options.cluster === undefined ? Cluster.layerAlone : Cluster.layer(options.cluster)),
  )
