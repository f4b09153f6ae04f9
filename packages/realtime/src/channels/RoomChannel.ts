/**
 * `room:{name}`: members send each other any events, without code on the server. There is no history: a client that is
 * away or too slow misses events. `CHANNELS_FILE` declares the topics with their limits; other `room:` topics do not exist.
 */
import { hasRole } from "@armoricore/auth/Identity"
import { PresenceStatus } from "@armoricore/domain/events/realtime"
import { RoomId, UserId } from "@armoricore/domain/Ids"
import { optionalNullable } from "@armoricore/domain/JsonCodecs"
import { matchesTopic } from "@armoricore/auth/Identity"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import { Clock, Context, Effect, Schema } from "effect"
import { EventName, type TopicDeclaration } from "../access/ChannelsFile.ts"
import * as Channel from "../channel/Channel.ts"
import { ChannelError, invalidPayload, rateLimit, tooLarge, unauthorized } from "../channel/ChannelError.ts"
import { Presence } from "../presence/Presence.ts"
import * as PresenceEvents from "../presence/PresenceEvents.ts"
import { ClientUsage } from "../socket/UsageLimits.ts"
import { Empty } from "./MessageFields.ts"

/** The entries of `CHANNELS_FILE`. */
export const DeclaredTopics = Context.Reference<ReadonlyArray<TopicDeclaration>>(
  "@armoricore/realtime/DeclaredTopics",
  { defaultValue: () => [] },
)

const Content = Schema.Record(Schema.String, Schema.Json)

/** `self`: the sender receives its own broadcasts too. `ack`: each broadcast gets a reply. Both are false by default. */
const options = { self: optionalNullable(Schema.Boolean), ack: optionalNullable(Schema.Boolean) }

const isContent = Schema.is(Schema.Struct({ event: EventName, payload: Content }))

export const channel = Channel.make({
  topic: "room:{name}",
  params: { name: RoomId },
  join: { payload: Schema.Struct({ ...options, status: optionalNullable(PresenceStatus) }), reply: Empty },
  client: {
    broadcast: {
      payload: Schema.Struct({
        event: EventName,
        payload: Content,
        /** For this broadcast in place of the options of the join. */
        ...options,
      }),
      // The handler checks the declaration of the topic.
      allowGuests: true,
    },
    update_status: { payload: Schema.Struct({ status: PresenceStatus }) },
  },
  server: {
    broadcast: {
      payload: Schema.Struct({
        event: Schema.String,
        payload: Content,
        /** The sender; absent: a backend. */
        user_id: Schema.optionalKey(UserId),
      }),
      droppable: true,
    },
    ...PresenceEvents.events,
  },
  liveEvent: (event, payload) =>
    event === "broadcast" && isContent(payload)
      ? { event, payload }
      : { event: "broadcast", payload: { event, payload } },
})

export const layer = channel.toLayer(
  Effect.gen(function* () {
    const presence = yield* Presence
    const clock = yield* Clock.Clock
    const declared = (yield* DeclaredTopics).filter(({ topic }) => topic.startsWith("room:"))
    const find = (topic: string) => declared.find((declaration) => matchesTopic(declaration.topic, topic))

    return channel.handlers(
      Effect.fnUntraced(function* (room, { ack, self, status }) {
        const declaration = find(room.topic)
        if (declaration === undefined) return yield* new ChannelError({ reason: "unmatched topic" })
        const { max_users: maxUsers, presence: hasPresence = true } = declaration
        if (maxUsers !== undefined && isFull(presence, room.topic, room.identity.userId, maxUsers)) {
          return yield* new ChannelError({
            reason: "room_full",
            details: { message: `this room has its ${maxUsers} users; try again later`, limit: maxUsers },
          })
        }
        const present = hasPresence ? yield* PresenceEvents.trackMember(presence, room, status ?? "online") : undefined
        const usage = declaration.messages_per_second === undefined ? undefined : new ClientUsage("")
        return { reply: {}, declaration, present, usage, ack: ack === true, self: self === true }
      }),
      {
        accepts: (topic) => find(topic) !== undefined,
        on: {
          broadcast: Effect.fnUntraced(function* (room, { ack, event, payload, self }) {
            const { declaration, usage } = room.state
            const {
              events,
              guests_may_send: guestsMaySend,
              max_payload_bytes: maxBytes,
              messages_per_second: perSecond,
            } = declaration
            if (guestsMaySend !== true && hasRole(room.identity, "guest")) {
              return yield* unauthorized("the role `guest` may join this topic, but not send on it")
            }
            if (events !== undefined && !events.includes(event)) {
              return yield* invalidPayload("event", `this topic has only the events ${events.join(", ")}`)
            }
            if (maxBytes !== undefined && Buffer.byteLength(JSON.stringify(payload)) > maxBytes)
              return yield* tooLarge(maxBytes)
            if (usage !== undefined && perSecond !== undefined) {
              const wait = usage.consumeMessages({ perSecond, burst: perSecond * 2 }, MonotonicClock.millis(clock))
              if (wait > 0) return yield* rateLimit(wait)
            }
            const excludeSelf = !(self ?? room.state.self)
            yield* room.broadcast("broadcast", { event, payload, user_id: room.identity.userId }, { excludeSelf })
            if (!(ack ?? room.state.ack)) room.omitReply()
          }),
          update_status: Effect.fnUntraced(function* (room, { status }) {
            if (room.state.present === undefined) return yield* invalidPayload("", "this topic has no presence")
            yield* room.state.present.update(status)
          }),
        },
      },
    )
  }),
)

/** A user who is present already does not count again. */
const isFull = (presence: Presence["Service"], topic: string, userId: string, maxUsers: number): boolean =>
  presence.size(topic) >= maxUsers && !presence.has(topic, userId)
