/**
 * The channels of this server. A channel's layer registers it here (`Channel.make(…).toLayer(…)`), a socket finds it by
 * topic. Everything is registered before the endpoint takes its first connection, because the endpoint's layer is
 * built on those of the channels.
 */
import type { Identity } from "@armoricore/auth/Identity"
import { Context, type Effect, Layer, type Scope } from "effect"
import type { Payload } from "./protocol/Message.ts"
import type { Refusal } from "./Refusal.ts"
import type { BroadcastOptions, Subscriber } from "./Topics.ts"

export type Params = Readonly<Record<string, unknown>>

/** One join of one socket, as a channel sees it before its types are known. */
export interface Member extends Subscriber {
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
  readonly listen: (part: string) => void
  readonly unlisten: (part: string) => void
}

export interface Joined {
  readonly reply: Payload
  readonly state: unknown
  /** Broadcasts up to this `seq` are in the reply already. */
  readonly covers: number | undefined
}

/** A channel with its types taken off: payloads are decoded and replies encoded inside. */
export interface Registered {
  readonly pattern: string
  /** The parameters of a topic of this channel, `undefined` for any other topic. */
  readonly match: (topic: string) => Params | undefined
  readonly join: (member: Member, payload: unknown) => Effect.Effect<Joined, Refusal, Scope.Scope>
  readonly events: ReadonlyMap<string, RegisteredEvent>
  readonly leave: ((member: Member) => Effect.Effect<void>) | undefined
}

export interface RegisteredEvent {
  /** Whether the role `guest` may send it. */
  readonly guests: boolean
  readonly handle: (member: Member, payload: unknown) => Effect.Effect<Payload, Refusal, Scope.Scope>
}

export class Channels extends Context.Service<
  Channels,
  {
    /** The later of two with the same pattern wins. */
    readonly register: (channel: Registered) => void
    readonly find: (topic: string) => { readonly channel: Registered; readonly params: Params } | undefined
    readonly patterns: () => ReadonlyArray<string>
  }
>()("@armoricore/realtime/Channels") {
  static readonly layer = Layer.sync(Channels, () => {
    const channels = new Map<string, Registered>()
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
