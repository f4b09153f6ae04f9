/**
 * Requests to an audience. A send runs in lanes; each lane is a chain of work messages, one for up to 100 members:
 *
 *     request the notification of each member → publish its messages → write the position of the lane → next message → ack
 *
 * Ids derive from the send and the member, so that a chunk which is repeated after a crash sends nothing twice. A chunk ends
 * when the first attempts of its members have ended or have a work message of their own, so a send is no faster than the
 * providers take it, and needs the memory of a few chunks.
 */
import { ephemeral, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type AudienceSend, audienceShards, membersOf, percentOf } from "@armoricore/domain/Audience"
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import { notificationIdOf } from "@armoricore/domain/events/notification"
import { Audiences, audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import type { HandlerError } from "@armoricore/worker/Handler"
import { emit, type ResultMessage, toOutboundMessage } from "@armoricore/worker/ResultMessage"
import { Clock, Effect, Option, Schema } from "effect"
import * as WorkKinds from "../WorkKinds.ts"

export const ChunkRequest = Schema.Struct({
  send_id: Schema.String,
  lane: Schema.Int,
  shard: Schema.Int,
  /** Members of the shard up to this one are done. */
  after: Schema.String,
})
type ChunkRequest = typeof ChunkRequest.Type

type Requested = EventOf<"notification.requested">

const laneCount = 4
const chunkSize = 100
/** Members of one chunk that are handled concurrently. */
const concurrency = 32

const encoder = new TextEncoder()

/** `request` handles the request of one member as one of its own. */
export const make = (
  request: (event: Requested, bytes: number) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>,
) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const audiences = yield* Audiences
    const sends = yield* Collection.make(audienceSends)

    const publishChunk = (chunk: ChunkRequest): Effect.Effect<void, HandlerError> => {
      const id = deriveId("audience-chunk", chunk.send_id, String(chunk.lane), String(chunk.shard), chunk.after)
      const body = { cause_id: id, payload: chunk }
      return Effect.asVoid(
        bus.publish({
          address: work("notify", WorkKinds.audienceChunk),
          id,
          body: encoder.encode(JSON.stringify(body)),
        }),
      )
    }

    const start = Effect.fnUntraced(function* (
      event: Requested,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
      const { audience = "", idempotency_key: _key, recipients: _recipients, ...payload } = event.payload
      const send_id = notificationIdOf(event)
      const at = new Date(yield* Clock.currentTimeMillis).toISOString()
      const send: AudienceSend = {
        send_id,
        audience,
        status: "running",
        source_event_id: event.event_id,
        ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
        payload: JSON.stringify(payload),
        lanes: Array.from({ length: laneCount }, (_, lane) => ({ shard: lane, after: "", count: 0 })),
        started_at: at,
        updated_at: at,
      }
      const stored = yield* sends.modifyOrRetry(send_id, (found) =>
        Effect.succeed<Collection.Decision<AudienceSend, AudienceSend>>(
          Option.match(found, {
            onNone: () => [send, Option.some(send)] as const,
            onSome: ({ value }) => [value, Option.none()] as const,
          }),
        ),
      )
      if (stored.status !== "running") return []
      yield* Effect.forEach(
        stored.lanes,
        ({ after, shard }, lane) =>
          shard < audienceShards ? publishChunk({ send_id, lane, shard, after }) : Effect.void,
        { discard: true },
      )
      return []
    })

    /** The next members of a lane, and the position after them. */
    const nextMembers = Effect.fnUntraced(function* (audience: string, { after, shard: first }: ChunkRequest) {
      const members: Array<string> = []
      let last = after
      for (let shard = first; shard < audienceShards; shard += laneCount) {
        const more = (yield* audiences.shard(audience, shard)).filter((id) => id > last)
        const fitting = more.slice(0, chunkSize - members.length)
        members.push(...fitting)
        if (fitting.length < more.length) return { members, shard, after: fitting.at(-1) ?? last }
        last = ""
      }
      return { members, shard: audienceShards, after: "" }
    })

    const notifyMember = Effect.fnUntraced(function* (send: AudienceSend, user_id: string) {
      const eventId = deriveId("audience-member", send.send_id, user_id)
      // `start` wrote it from a decoded request.
      const payload = { ...(JSON.parse(send.payload) as PayloadOf<"notification.requested">), user_id }
      const event: Requested = {
        event_type: "notification.requested",
        event_id: eventId,
        timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
        source: "notify",
        ...(send.request_id === undefined ? {} : { request_id: send.request_id }),
        payload,
      }
      const results = yield* request(event, send.payload.length)
      // Each member is a cause of its own: the ids of equal results of two members differ.
      const cause = { eventId, requestId: send.request_id }
      for (const result of results) {
        const { address, body, id } = yield* toOutboundMessage("notify", cause, result)
        yield* bus.publish({ address, id, body: encoder.encode(body) })
      }
    })

    const announce = Effect.fnUntraced(function* (send: AudienceSend) {
      const progress = emit(
        "notification.progress",
        {
          notification_id: send.send_id,
          audience: send.audience,
          status: send.status,
          members: membersOf(send),
          percent: percentOf(send),
        },
        crypto.randomUUID(),
      )
      const { body } = yield* toOutboundMessage(
        "notify",
        { eventId: send.source_event_id, requestId: send.request_id },
        progress,
      )
      yield* Effect.catch(bus.broadcast(ephemeral("notification.progress"), encoder.encode(body)), (error) =>
        Effect.logDebug(`The progress of an audience was not published: ${error.message}`),
      )
    })

    const handle = Effect.fnUntraced(function* (
      chunk: ChunkRequest,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
      const send = Option.getOrUndefined(yield* sends.get(chunk.send_id))?.value
      if (send === undefined || send.status !== "running") return []
      const next = yield* nextMembers(send.audience, chunk)
      yield* Effect.forEach(next.members, (userId) => notifyMember(send, userId), { concurrency, discard: true })
      const now = new Date(yield* Clock.currentTimeMillis).toISOString()
      const moved = yield* sends.modifyOrRetry(chunk.send_id, (found) =>
        Effect.sync((): Collection.Decision<AudienceSend, AudienceSend> => {
          const current = Option.getOrUndefined(found)?.value
          const lane = current?.lanes[chunk.lane]
          // A repetition of an earlier chunk counts nothing twice.
          if (current === undefined || lane?.shard !== chunk.shard || lane.after !== chunk.after)
            return [current ?? send, Option.none()]
          const lanes = current.lanes.map((other, index) =>
            index === chunk.lane
              ? { shard: next.shard, after: next.after, count: other.count + next.members.length }
              : other,
          )
          const isDone = current.status === "running" && lanes.every(({ shard }) => shard >= audienceShards)
          const changed: AudienceSend = {
            ...current,
            lanes,
            status: isDone ? "done" : current.status,
            updated_at: now,
          }
          return [changed, Option.some(changed)]
        }),
      )
      // The stored position: after a repetition the members may be others than those of the first time.
      const lane = moved.lanes[chunk.lane]
      if (moved.status === "running" && lane !== undefined && lane.shard < audienceShards)
        yield* publishChunk({ send_id: chunk.send_id, lane: chunk.lane, shard: lane.shard, after: lane.after })
      yield* announce(moved)
      if (moved.status === "done") yield* Effect.logInfo("an audience was notified", { notification_id: send.send_id })
      return []
    })

    /** Members who were not reached yet receive nothing. False: there is no such send. */
    const cancel = Effect.fnUntraced(function* (id: string): Effect.fn.Return<boolean, HandlerError> {
      if (Option.isNone(yield* sends.get(id))) return false
      const cancelled = yield* sends.modifyOrRetry(id, (found) =>
        Effect.sync((): Collection.Decision<AudienceSend, AudienceSend | undefined> => {
          const current = Option.getOrUndefined(found)?.value
          if (current === undefined || current.status !== "running") return [undefined, Option.none()]
          const changed: AudienceSend = { ...current, status: "cancelled" }
          return [changed, Option.some(changed)]
        }),
      )
      if (cancelled !== undefined) yield* announce(cancelled)
      return true
    })

    return { start, handle, cancel }
  })
