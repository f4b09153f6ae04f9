/**
 * The channels that sockets can join. A channel's layer registers its definition here (`Channel.make(…).toLayer(…)`),
 * and a socket finds the definition by topic. All registrations precede the first connection, because the layer of the
 * endpoint depends on the layers of the channels.
 */
import type { Identity } from "@armoricore/auth/Identity"
import { Context, type Effect, Layer, type Scope } from "effect"
import type { Payload } from "../protocol/Message.ts"
import type { BroadcastOptions, Subscriber } from "../pubsub/Topics.ts"
import type { LogEntry } from "../rooms/RoomEntry.ts"
import type { ChannelError } from "./ChannelError.ts"
import type { JoinGrant } from "./JoinPolicy.ts"

/** The decoded parameters of a topic. */
export type Params = Readonly<Record<string, unknown>>

/** The part of a `ChannelMembership` that a channel uses, before `Channel` gives it the types of its declaration. */
export interface MembershipHandle extends Subscriber {
  readonly topic: string
  readonly params: Params
  /** Changes when the client refreshes its token. Its roles are those of the grant, if the grant has some. */
  readonly identity: Identity
  /** The join was allowed under these conditions. */
  readonly setGrant: (grant: JoinGrant) => void
  readonly socketId: string
  /** The state that the channel's `join` returned. */
  readonly state: unknown
  /** The message that is being handled gets no reply if it succeeds. */
  readonly omitReply: () => void
  readonly send: (event: string, payload: Payload, droppable: boolean) => void
  readonly broadcast: (event: string, payload: Payload, options: BroadcastOptions) => Effect.Effect<void>
  /** From now on the socket also receives broadcasts to this subtopic. */
  readonly listen: (subtopic: string) => void
  readonly unlisten: (subtopic: string) => void
  /**
   * waits until the client has read most of the earlier messages, and returns the most bytes of the next reply. The capacity is
   * reserved until the reply is sent.
   */
  readonly awaitCapacity: Effect.Effect<number>
}

/** A channel without its static types: its functions decode payloads and encode replies themselves. */
export interface ChannelDefinition {
  readonly pattern: string
  /** The parameters of a topic of this channel; `undefined` for a topic of another channel. */
  readonly match: (topic: string) => Params | undefined
  readonly join: (
    member: MembershipHandle,
    payload: unknown,
  ) => Effect.Effect<
    {
      readonly reply: Payload
      readonly state: unknown
      /** The reply includes all broadcasts up to this `seq`. */
      readonly upToSeq: number | undefined
    },
    ChannelError,
    Scope.Scope
  >
  /** Decides whether the member may send this event; `undefined` if no event is checked. Backends are not checked. */
  readonly authorizePush:
    | ((member: MembershipHandle, event: string, payload: unknown) => Effect.Effect<void, ChannelError>)
    | undefined
  /** A stored entry as a message of this channel; `undefined` if the topic has no history. */
  readonly toMessage: ((entry: LogEntry) => Effect.Effect<Payload>) | undefined
  readonly hasPresence: boolean
  /** How a live event of a backend reaches the clients; `undefined`: as it is. */
  readonly liveEvent:
    | ((event: string, payload: object) => { readonly event: string; readonly payload: object })
    | undefined
  /** The events that clients may send. */
  readonly events: ReadonlyMap<
    string,
    {
      /** Whether the role `guest` may send this event. */
      readonly allowGuests: boolean
      /** Whether a backend may send this event for a user who has no socket. */
      readonly allowBackends: boolean
      readonly handle: (member: MembershipHandle, payload: unknown) => Effect.Effect<Payload, ChannelError, Scope.Scope>
    }
  >
  readonly leave: ((member: MembershipHandle) => Effect.Effect<void>) | undefined
}

const maxRememberedTopics = 1000

export class ChannelRegistry extends Context.Service<
  ChannelRegistry,
  {
    /** Replaces an earlier channel with the same pattern. */
    readonly register: (channel: ChannelDefinition) => void
    readonly find: (topic: string) => { readonly channel: ChannelDefinition; readonly params: Params } | undefined
    readonly patterns: () => ReadonlyArray<string>
  }
>()("@armoricore/realtime/ChannelRegistry") {
  static readonly layer = Layer.sync(ChannelRegistry, () => {
    const channels = new Map<string, ChannelDefinition>()
    /** The topics that were found last: those who join one room share its parsed parameters. */
    const found = new Map<string, { readonly channel: ChannelDefinition; readonly params: Params }>()
    return {
      register: (channel) => {
        channels.set(channel.pattern, channel)
        found.clear()
      },
      find: (topic) => {
        const known = found.get(topic)
        if (known !== undefined) return known
        for (const channel of channels.values()) {
          const params = channel.match(topic)
          if (params === undefined) continue
          if (found.size >= maxRememberedTopics) found.clear()
          const match = { channel, params }
          found.set(topic, match)
          return match
        }
        return undefined
      },
      patterns: () => [...channels.keys()],
    }
  })
}
