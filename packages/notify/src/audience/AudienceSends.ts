/**
 * Requests to an audience. A push or an item of the inbox goes to the members in chunks: a chunk is the unit that is stored,
 * repeated and continued (see `ChunkPass`). A send runs in lanes; each lane is a chain of work messages, one for each chunk:
 *
 *     read the next members → a pass over the chunk → write the position of the lane → next message → ack
 *
 * A chunk that has members for later, because of Retry-After or quiet hours, gets a work message for that time. The lane goes
 * on behind it, and the send ends with its last chunk. While the providers take nothing, the lanes wait.
 *
 * A send whose members need more than that has one ordinary notification for each of them (see `OrdinaryMembers`). So does one
 * that a version without chunks began: the positions of its lanes have no chunk.
 */
import { type AudienceSend, audienceShards } from "@armoricore/domain/Audience"
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import {
  type AudienceChunk,
  chunkKeyOf,
  chunkMembers,
  isEnded,
  memberPlaceOf,
  openMembers,
} from "@armoricore/domain/AudienceChunk"
import { deriveId } from "@armoricore/domain/DeterministicId"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import { notificationIdOf } from "@armoricore/domain/events/notification"
import * as Timestamp from "@armoricore/domain/Timestamp"
import { shardOf } from "@armoricore/state/Audiences"
import type { HandlerError } from "@armoricore/worker/Handler"
import { enqueue, type ResultMessage, type WorkEnvelope } from "@armoricore/worker/ResultMessage"
import * as ScheduledWork from "@armoricore/worker/ScheduledWork"
import { Clock, Context, Effect, Schema } from "effect"
import * as DeliveryAttempts from "../delivery/DeliveryAttempts.ts"
import { cancelled } from "../request/Schedules.ts"
import { targetsOf } from "../request/Target.ts"
import * as WorkKinds from "../WorkKinds.ts"
import * as ChunkPass from "./ChunkPass.ts"
import * as ChunkPlan from "./ChunkPlan.ts"
import * as ChunkStore from "./ChunkStore.ts"
import { payloadOf } from "./MemberAdoption.ts"
import * as OrdinaryMembers from "./OrdinaryMembers.ts"
import * as SendStore from "./SendStore.ts"

export const ChunkRequest = Schema.Struct({
  send_id: Schema.String,
  /** The number of the chunk. */
  chunk: Schema.Int,
  /** The chunk is at the position of its lane, or was; absent: it has members for later. */
  is_next: Schema.optionalKey(Schema.Literal(true)),
})
type ChunkRequest = typeof ChunkRequest.Type

/** Members of one chunk. */
export const ChunkSize = Context.Reference<number>("@armoricore/notify/ChunkSize", {
  defaultValue: () => chunkMembers,
})

type Requested = EventOf<"notification.requested">

/** A pass looks this often whether its send was cancelled by another process. */
const cancellationCheckMillis = 1_000

const encoder = new TextEncoder()

/** `request` handles the request of one member as one of its own. */
export const make = (
  request: (event: Requested, bytes: number) => Effect.Effect<ReadonlyArray<ResultMessage>, HandlerError>,
) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const sends = yield* SendStore.make
    const store = yield* ChunkStore.make
    const { adoption, run } = yield* ChunkPass.make
    const scheduled = yield* ScheduledWork.make("notify")
    const ordinary = yield* OrdinaryMembers.make(request)
    const chunkSize = yield* ChunkSize
    /** Sends with running passes that were cancelled. */
    const cancelledSends = new Set<string>()

    const envelopeOf = (send: AudienceSend, payload: ChunkRequest): WorkEnvelope => ({
      cause_id: send.send_id,
      ...(send.request_id === undefined ? {} : { request_id: send.request_id }),
      payload,
    })

    const start = Effect.fnUntraced(function* (
      event: Requested,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
      const { audience = "", idempotency_key: _key, recipients: _recipients, ...payload } = event.payload
      const send_id = notificationIdOf(event)
      const now = yield* Clock.currentTimeMillis
      const at = new Date(now).toISOString()
      const isChunked =
        payload.workflow === undefined &&
        ChunkPlan.chunkedTypes.has(payload.notification_type ?? "") &&
        (payload.notification_type === "in_app" || targetsOf(payload).length === 0)
      const dueAt = payload.send_at === undefined ? now : Timestamp.toMillis(payload.send_at)
      const { send_at: _at, ...withoutTime } = payload
      const stored = yield* sends.create({
        send_id,
        audience,
        status: "running",
        source_event_id: event.event_id,
        ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
        payload: JSON.stringify(isChunked ? withoutTime : payload),
        ...(isChunked ? { id_key: crypto.randomUUID() } : {}),
        lanes: Array.from({ length: SendStore.laneCount }, (_, lane) => ({
          shard: lane,
          after: "",
          count: 0,
          ...(isChunked ? { chunk: lane } : {}),
        })),
        started_at: at,
        updated_at: at,
      })
      if (stored.status !== "running") return []
      if (stored.lanes.every(({ chunk }) => chunk === undefined)) {
        yield* ordinary.start(stored)
        return []
      }
      const requests = stored.lanes.flatMap(({ chunk, shard }): ReadonlyArray<ChunkRequest> =>
        chunk === undefined || shard >= audienceShards ? [] : [{ send_id, chunk, is_next: true }],
      )
      if (dueAt <= now) return requests.map((one) => enqueue(WorkKinds.audienceMembers, nameOf(one), one))
      yield* Effect.forEach(
        requests,
        (one) => scheduled.schedule(WorkKinds.audienceMembers, nameOf(one), dueAt, envelopeOf(stored, one)),
        { discard: true },
      )
      return []
    })

    /** The chunk as it is stored, or a new one with the next members of its lane; undefined: the lane has no more. */
    const findChunk = Effect.fnUntraced(function* (send: AudienceSend, { chunk, is_next }: ChunkRequest) {
      const found = yield* store.get(chunkKeyOf(send.send_id, chunk))
      if (found !== undefined) return { value: found.value, revision: found.revision, next: undefined }
      const lane = send.lanes[chunk % SendStore.laneCount]
      if (is_next !== true || lane?.chunk !== chunk || send.status !== "running") return undefined
      const { members, ...next } = yield* sends.nextMembers(send.audience, lane, chunkSize)
      if (members.length === 0) return undefined
      const now = yield* Clock.currentTimeMillis
      const value: AudienceChunk = {
        send_id: send.send_id,
        chunk,
        notification_type: payloadOf(send).notification_type ?? "push",
        requested_at: now,
        updated_at: new Date(now).toISOString(),
        kinds: [],
        errors: [],
        members: members.map((u) => ({ u })),
      }
      return { value, revision: 0, next }
    })

    /** Whether the send was cancelled, looked up while the pass runs. */
    const cancellationOf = (send: AudienceSend) => {
      const check = Effect.flatMap(
        Effect.catch(sends.get(send.send_id), () => Effect.succeed(undefined)),
        (current) => Effect.sync(() => void (current?.status === "cancelled" && cancelledSends.add(send.send_id))),
      )
      return {
        isCancelled: () => send.status === "cancelled" || cancelledSends.has(send.send_id),
        watch: check.pipe(Effect.delay(cancellationCheckMillis), Effect.forever),
      }
    }

    /** One pass; returns when the chunk is due again. */
    const passOver = Effect.fnUntraced(function* (
      send: AudienceSend,
      found: { readonly value: AudienceChunk; readonly revision: number },
    ) {
      const { chunk } = found.value
      const held = store.hold(chunkKeyOf(send.send_id, chunk), found, send.request_id)
      if (found.revision > 0) yield* held.publishRest
      const { isCancelled, watch } = cancellationOf(send)
      const end = yield* Effect.raceFirst(run(send, payloadOf(send), held, isCancelled), watch)
      if (end._tag === "Interrupted")
        return yield* DeliveryAttempts.snooze("provider_busy", "the providers take nothing now", end.waitMillis)
      if (end.nextAt !== undefined) {
        const later: ChunkRequest = { send_id: send.send_id, chunk }
        // After a cancellation they end at once.
        const at = isCancelled() ? 0 : end.nextAt
        yield* scheduled.schedule(WorkKinds.audienceMembers, `${nameOf(later)}.${at}`, at, envelopeOf(send, later))
      }
      return held.chunk()
    })

    const handle = Effect.fnUntraced(function* (
      one: ChunkRequest,
    ): Effect.fn.Return<ReadonlyArray<ResultMessage>, HandlerError> {
      const send = yield* sends.get(one.send_id)
      const laneIndex = one.chunk % SendStore.laneCount
      const position = send?.lanes[laneIndex]?.chunk
      if (send === undefined || position === undefined) return []
      const isAhead = position <= one.chunk
      // The message of its lane passes over it first.
      if (one.is_next !== true && isAhead && send.status === "running")
        return yield* DeliveryAttempts.snooze("lane_busy", "the lane is still at this chunk", 1_000)
      // A repetition of a message whose work is stored.
      if (one.is_next === true && !isAhead) return nextOf(send, laneIndex)
      const found = yield* findChunk(send, one)
      if (found === undefined && (one.is_next !== true || send.status !== "running")) return []
      const passed = found === undefined ? undefined : yield* passOver(send, found)
      const open = passed === undefined ? 0 : openMembers(passed)
      const moved = yield* sends.update(one.send_id, (current) => {
        const others = (current.waiting ?? []).filter(({ chunk }) => chunk !== one.chunk)
        const waiting = open === 0 ? others : [...others, { chunk: one.chunk, open }]
        return {
          ...current,
          waiting,
          lanes: current.lanes.map((lane, index) =>
            index === laneIndex && lane.chunk === one.chunk ? movedLane(lane, passed, found?.next) : lane,
          ),
        }
      })
      if (moved === undefined) return []
      yield* sends.announce(moved)
      return one.is_next === true ? nextOf(moved, laneIndex) : []
    })

    /** Ends the notification of one member that waits in its chunk. */
    const cancelMember = Effect.fnUntraced(function* (id: string): Effect.fn.Return<boolean, HandlerError> {
      const place = memberPlaceOf(id)
      const found = place === undefined ? undefined : yield* store.get(place.key)
      const member = found?.value.members[place?.index ?? -1]
      if (place === undefined || found === undefined || member === undefined || member.o !== undefined) return false
      // Otherwise it has ended, or may be sent now.
      if (!isEnded(member) && (member.n ?? 0) > (yield* Clock.currentTimeMillis)) {
        const error = { code: cancelled, message: "the notification was cancelled before it was sent" }
        const send = yield* sends.get(found.value.send_id)
        yield* store
          .hold(place.key, found, send?.request_id)
          .record([{ index: place.index, openTargets: 0, ...(member.r === undefined ? { error } : {}) }])
      }
      return true
    })

    /** Ends what was not sent yet. False: there is no such send or member. */
    const cancel = Effect.fnUntraced(function* (id: string): Effect.fn.Return<boolean, HandlerError> {
      const before = yield* sends.get(id)
      if (before === undefined) return yield* cancelMember(id)
      const current = yield* sends.update(id, (send) =>
        send.status === "running" ? { ...send, status: "cancelled" } : send,
      )
      if (current?.status !== "cancelled") return true
      cancelledSends.add(id)
      if (before.status === "running") yield* sends.announce(current)
      // Their members end now, and not when they would have been due.
      yield* Effect.forEach(
        current.waiting ?? [],
        ({ chunk }) => {
          const body = JSON.stringify(envelopeOf(current, { send_id: id, chunk }))
          return bus.publish({
            address: work("notify", WorkKinds.audienceMembers),
            id: deriveId("audience-cancel", id, String(chunk)),
            body: encoder.encode(body),
          })
        },
        { discard: true },
      )
      return true
    })

    return { start, handle, cancel, handleOrdinary: ordinary.handle, adoptRefused: adoption.adoptRefused }
  })

const nameOf = ({ chunk, is_next, send_id }: ChunkRequest): string =>
  `${send_id}.${chunk}${is_next === true ? "" : ".later"}`

/** The message of the lane's next chunk. */
const nextOf = ({ lanes, send_id, status }: AudienceSend, laneIndex: number): ReadonlyArray<ResultMessage> => {
  const lane = lanes[laneIndex]
  if (status !== "running" || lane?.chunk === undefined || lane.shard >= audienceShards) return []
  const next: ChunkRequest = { send_id, chunk: lane.chunk, is_next: true }
  return [enqueue(WorkKinds.audienceMembers, nameOf(next), next)]
}

type Lane = AudienceSend["lanes"][number]

/** The position behind a chunk; without a chunk, the end. `next` is known to the worker that began the chunk. */
const movedLane = (lane: Lane, chunk: AudienceChunk | undefined, next: SendStore.LanePosition | undefined): Lane => {
  if (chunk === undefined) return { ...lane, shard: audienceShards, after: "" }
  // An erased member has left the audience, too.
  const last = chunk.members.findLast(({ u }) => u !== "")?.u
  const behind = next ?? (last === undefined ? lane : { shard: shardOf(last), after: last })
  return {
    ...lane,
    shard: behind.shard,
    after: behind.after,
    count: lane.count + chunk.members.length,
    chunk: chunk.chunk + SendStore.laneCount,
  }
}
