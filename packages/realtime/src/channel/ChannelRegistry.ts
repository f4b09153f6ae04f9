/**
 * The channels of this server. A channel's layer registers it here (`Channel.make(…).toLayer(…)`), a socket finds it by
 * topic. Everything is registered before the endpoint takes its first connection, because the endpoint's layer is
 * built on those of the channels.
 */
import type { Identity } from "@armoricore/auth/Identity"
import { Context, type Effect, Layer, type Scope } from "effect"
import type { Payload } from "../protocol/Message.ts"
import type { ChannelError } from "./ChannelError.ts"
import type { BroadcastOptions, Subscriber } from "../pubsub/Topics.ts"

export type Params = Readonly<Record<string, unknown>>

/** One join of one socket, as a channel sees it before its types are known. */
export interface UntypedMembership extends Subscriber {
  readonly topic: string
  readonly params: Params
  /** Changes when the client brings a new token. */
  readonly identity: Identity
  readonly socketId: string
  /** What the channel's `join` kept. */
  readonly state: unknown
  readonly send: (event: string, payload: Payload, droppable: boolean) => void
  readonly broadcast: (event: string, payload: Payload, options: BroadcastOptions) => Effect.Effect<void>
  /** From now on it hears what is broadcast to this part of its topic too. */
  readonly listen: (subtopic: string) => void
  readonly unlisten: (subtopic: string) => void
}

export interface UntypedJoinResult {
  readonly reply: Payload
  readonly state: unknown
  /** Broadcasts up to this `seq` are in the reply already. */
  readonly upToSeq: number | undefined
}

/** A channel with its types taken off: payloads are decoded and replies encoded inside. */
export interface ChannelDefinition {
  readonly pattern: string
  /** The parameters of a topic of this channel, `undefined` for any other topic. */
  readonly match: (topic: string) => Params | undefined
  readonly join: (
    member: UntypedMembership,
    payload: unknown,
  ) => Effect.Effect<UntypedJoinResult, ChannelError, Scope.Scope>
  readonly events: ReadonlyMap<string, EventDefinition>
  readonly leave: ((member: UntypedMembership) => Effect.Effect<void>) | undefined
}

export interface EventDefinition {
  /** Whether the role `guest` may send it. */
  readonly guests: boolean
  readonly handle: (member: UntypedMembership, payload: unknown) => Effect.Effect<Payload, ChannelError, Scope.Scope>
}

export class ChannelRegistry extends Context.Service<
  ChannelRegistry,
  {
    /** The later of two with the same pattern wins. */
    readonly register: (channel: ChannelDefinition) => void
    readonly find: (topic: string) => { readonly channel: ChannelDefinition; readonly params: Params } | undefined
    readonly patterns: () => ReadonlyArray<string>
  }
>()("@armoricore/realtime/ChannelRegistry") {
  static readonly layer = Layer.sync(ChannelRegistry, () => {
    const channels = new Map<string, ChannelDefinition>()
    return {
      register: (channel) => channels.set(channel.pattern, channel),
      find: (topic) => {
        for (const channel of channels.values()) {
          const params = channel.match(topic)
          if (params !== undefined) return { channel, params }
        }
        return undefined
      },
      patterns: () => [...channels.keys()],
    }
  })
}
