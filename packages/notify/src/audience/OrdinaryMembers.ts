/**
 * Sends whose members are ordinary notifications: workflows, e-mails and what else needs more than a push; and sends that an
 * earlier version began. Each lane is a chain of work messages, one for up to 100 members:
 *
 *     request the notification of each member → publish its messages → write the position of the lane → next message → ack
 *
 * Ids derive from the send and the member, so that a message which is repeated after a crash sends nothing twice.
 */
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type AudienceSend, audienceShards } from "@armoricore/domain/Audience"
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type { HandlerError } from "@armoricore/worker/Handler"
import { type ResultMessage, toOutboundMessage } from "@armoricore/worker/ResultMessage"
import { Clock, Effect, Schema } from "effect"
import * as WorkKinds from "../WorkKinds.ts"
import { payloadOf } from "./MemberAdoption.ts"
import * as SendStore from "./SendStore.ts"

export const MembersRequest = Schema.Struct({
  send_id: Schema.String,
  lane: Schema.Int,
  shard: Schema.Int,
  /** Members of the shard up to this one are done. */
  after: Schema.String,
})
type MembersRequest = typeof MembersRequest.Type

type Requested = EventOf<"notification.requested">

const messageMembers = 100
/** Members of one message that are handled concurrently. */
const concurrency = 32

const encoder = new TextEncoder()

/** `request` handles the request of one member as one of its own. */
export const make = (
  request: (event: Requested, bytes: number) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>,
) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const sends = yield* SendStore.make

    const publish = (position: MembersRequest): Effect.Effect<void, HandlerError> => {
      const id = deriveId(
        "audience-chunk",
        position.send_id,
        String(position.lane),
        String(position.shard),
        position.after,
      )
      const body = { cause_id: id, payload: position }
      return Effect.asVoid(
        bus.publish({
          address: work("notify", WorkKinds.audienceChunk),
          id,
          body: encoder.encode(JSON.stringify(body)),
        }),
      )
    }

    /** Publishes the message of each lane at its position. */
    const start = ({ lanes, send_id }: AudienceSend) =>
      Effect.forEach(
        lanes,
        ({ after, shard }, lane) => (shard < audienceShards ? publish({ send_id, lane, shard, after }) : Effect.void),
        { discard: true },
      )

    const notifyMember = Effect.fnUntraced(function* (send: AudienceSend, user_id: string) {
      const eventId = deriveId("audience-member", send.send_id, user_id)
      const event: Requested = {
        event_type: "notification.requested",
        event_id: eventId,
        timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
        source: "notify",
        ...(send.request_id === undefined ? {} : { request_id: send.request_id }),
        payload: { ...payloadOf(send), user_id },
      }
      const results = yield* request(event, send.payload.length)
      // Each member is a cause of its own: the ids of equal results of two members differ.
      const cause = { eventId, requestId: send.request_id }
      for (const result of results) {
        const { address, body, id } = yield* toOutboundMessage("notify", cause, result)
        yield* bus.publish({ address, id, body: encoder.encode(body) })
      }
    })

    const handle = Effect.fnUntraced(function* (
      position: MembersRequest,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
      const send = yield* sends.get(position.send_id)
      if (send === undefined || send.status !== "running") return []
      const next = yield* sends.nextMembers(send.audience, position, messageMembers)
      yield* Effect.forEach(next.members, (userId) => notifyMember(send, userId), { concurrency, discard: true })
      const moved = yield* sends.update(position.send_id, (current) => {
        const lane = current.lanes[position.lane]
        // A repetition of an earlier message counts nothing twice.
        if (lane?.shard !== position.shard || lane.after !== position.after) return current
        return {
          ...current,
          lanes: current.lanes.map((other, index) =>
            index === position.lane
              ? { shard: next.shard, after: next.after, count: other.count + next.members.length }
              : other,
          ),
        }
      })
      if (moved === undefined) return []
      // The stored position: after a repetition the members may be others than those of the first time.
      const lane = moved.lanes[position.lane]
      if (moved.status === "running" && lane !== undefined && lane.shard < audienceShards)
        yield* publish({ send_id: position.send_id, lane: position.lane, shard: lane.shard, after: lane.after })
      yield* sends.announce(moved)
      return []
    })

    return { start, handle }
  })
