/**
 * Topics as a backend uses them, without a socket: the HTTP API reads messages and presence here, and sends events for users.
 * `JoinPolicy` does not apply: the caller has checked that it speaks to a backend or an operator.
 */
import type { PortError } from "@armoricore/domain/Errors"
import { Context, Effect, Layer } from "effect"
import { type ChannelError, unavailable, unknownEvent } from "../channel/ChannelError.ts"
import { ChannelRegistry, type MembershipHandle } from "../channel/ChannelRegistry.ts"
import { Presence, type State } from "../presence/Presence.ts"
import type { Payload } from "../protocol/Message.ts"
import { Topics } from "../pubsub/Topics.ts"
import { type HistoryRequest, RoomLog } from "../rooms/RoomLog.ts"

export interface MessagePage {
  /** Ascending; each as the channel sends it to clients. */
  readonly messages: ReadonlyArray<Payload>
  /** False: a message between `after` and the page is no longer stored. Always true without `after`. */
  readonly recovered: boolean
  /** Messages follow the page: later ones after a request with `after`, otherwise earlier ones. */
  readonly more: boolean
}

export interface PresenceList {
  /** Users. */
  readonly count: number
  /** By user id; empty in a room with more users than are listed. */
  readonly users: State
}

/** A topic that a channel matches. */
export interface TopicHandle {
  /** `undefined`: the topic has no history. A page has about a megabyte at most. */
  readonly messages: ((request: HistoryRequest) => Effect.Effect<MessagePage, PortError>) | undefined
  /** `undefined`: the topic has no presence. */
  readonly presence: Effect.Effect<PresenceList> | undefined
  /** The events that `send` takes. */
  readonly events: ReadonlyArray<string>
  /** The other events of clients. They need a socket, so they are not events for a backend. */
  readonly memberEvents: ReadonlyArray<string>
  /**
   * Does what the channel does when a member sends this event, and returns the reply. Fails with `unavailable` if the message
   * was sent to the members but could not be stored.
   */
  readonly send: (userId: string, event: string, payload: object) => Effect.Effect<Payload, ChannelError>
  /** Sends a live event to every subscriber, on all nodes; it is not stored. */
  readonly broadcast: (event: string, payload: object) => Effect.Effect<void>
}

export class TopicAccess extends Context.Service<
  TopicAccess,
  {
    /** `undefined`: no channel matches the topic. */
    readonly find: (topic: string) => TopicHandle | undefined
  }
>()("@armoricore/realtime/TopicAccess") {}

const maxPageBytes = 1_000_000

export const layer: Layer.Layer<TopicAccess, never, ChannelRegistry | Presence | RoomLog | Topics> = Layer.effect(
  TopicAccess,
  Effect.gen(function* () {
    const channels = yield* ChannelRegistry
    const presence = yield* Presence
    const roomLog = yield* RoomLog
    const topics = yield* Topics

    /**
     * A membership without a socket: it receives nothing, and its broadcasts reach every subscriber. A backend changes any
     * message, as a moderator does.
     */
    const memberFor = (topic: string, params: MembershipHandle["params"], userId: string): MembershipHandle => ({
      topic,
      params,
      identity: { userId, roles: ["moderator"], expiresAt: Number.POSITIVE_INFINITY },
      socketId: `backend:${userId}`,
      state: undefined,
      setGrant: () => {},
      omitReply: () => {},
      receive: () => {},
      send: () => {},
      broadcast: (event, payload, options) => topics.broadcast(topic, event, payload, options),
      listen: () => {},
      unlisten: () => {},
      awaitCapacity: Effect.succeed(maxPageBytes),
    })

    return TopicAccess.of({
      find: (topic) => {
        const found = channels.find(topic)
        if (found === undefined) return undefined
        const { channel, params } = found
        const { hasPresence, toMessage } = channel
        return {
          messages:
            toMessage === undefined
              ? undefined
              : Effect.fn("TopicAccess.messages")(function* (request) {
                  const { entries, more, recovered } = yield* roomLog.history(topic, request, maxPageBytes)
                  return { messages: yield* Effect.forEach(entries, toMessage), more, recovered }
                }),
          presence: hasPresence
            ? Effect.sync(() => {
                const users = presence.state(topic)
                return { count: presence.count(topic) ?? Object.keys(users).length, users }
              })
            : undefined,
          events: [...channel.events].flatMap(([event, { allowBackends }]) => (allowBackends ? [event] : [])),
          // Where live events have names of their own, a backend may use these names too.
          memberEvents:
            channel.liveEvent === undefined
              ? [...channel.events].flatMap(([event, { allowBackends }]) => (allowBackends ? [] : [event]))
              : [],
          send: Effect.fn("TopicAccess.send")(function* (userId, event, payload) {
            const handler = channel.events.get(event)
            if (handler?.allowBackends !== true) return yield* unknownEvent(event)
            const reply = yield* Effect.scoped(handler.handle(memberFor(topic, params, userId), payload))
            // Members received the message, but it is not durable yet; a repetition with its `client_id` is the same message.
            if (roomLog.hasUnstored(topic)) return yield* unavailable
            return reply
          }),
          broadcast: (event, payload) =>
            Effect.suspend(() => {
              const live = channel.liveEvent?.(event, payload) ?? { event, payload }
              return topics.broadcast(topic, live.event, live.payload)
            }),
        }
      },
    })
  }),
)
