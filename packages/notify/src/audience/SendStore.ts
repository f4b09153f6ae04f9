/** The document of a send: how far it is, and its progress for others. */
import { ephemeral } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type AudienceSend, audienceShards, membersOf, percentOf } from "@armoricore/domain/Audience"
import { Audiences, audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import type { StateError } from "@armoricore/state/KeyValue"
import { emit, toOutboundMessage } from "@armoricore/worker/ResultMessage"
import { Clock, Effect, Option } from "effect"

export interface LanePosition {
  /** The shard that is next. */
  readonly shard: number
  /** Members of the shard up to this one are done. */
  readonly after: string
}

export const laneCount = 4

const encoder = new TextEncoder()

export const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const audiences = yield* Audiences
  const sends = yield* Collection.make(audienceSends)

  const get = (id: string) => Effect.map(sends.get(id), (found) => Option.getOrUndefined(found)?.value)

  /** If the id exists, returns the stored send. */
  const create = (send: AudienceSend) =>
    sends.modifyOrRetry(send.send_id, (found) =>
      Effect.succeed<Collection.Decision<AudienceSend, AudienceSend>>(
        Option.match(found, {
          onNone: () => [send, Option.some(send)] as const,
          onSome: ({ value }) => [value, Option.none()] as const,
        }),
      ),
    )

  /** Undefined: the send does not exist any more. `change` returns the same object for no change. */
  const update = (id: string, change: (send: AudienceSend) => AudienceSend) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      sends.modifyOrRetry(id, (found) =>
        Effect.sync((): Collection.Decision<AudienceSend, AudienceSend | undefined> => {
          const current = Option.getOrUndefined(found)?.value
          if (current === undefined) return [undefined, Option.none()]
          const changed = withStatus(change(current))
          if (changed === current) return [current, Option.none()]
          const next = { ...changed, updated_at: new Date(now).toISOString() }
          return [next, Option.some(next)]
        }),
      ),
    )

  /** Up to `limit` members of the lane's shards from a position on, and the position after them. */
  const nextMembers = Effect.fnUntraced(function* (
    audience: string,
    { after, shard: first }: LanePosition,
    limit: number,
  ): Effect.fn.Return<LanePosition & { readonly members: ReadonlyArray<string> }, StateError> {
    const members: Array<string> = []
    let last = after
    for (let shard = first; shard < audienceShards; shard += laneCount) {
      const more = (yield* audiences.shard(audience, shard)).filter((id) => id > last)
      const fitting = more.slice(0, limit - members.length)
      members.push(...fitting)
      if (fitting.length < more.length) return { members, shard, after: fitting.at(-1) ?? last }
      last = ""
    }
    return { members, shard: audienceShards, after: "" }
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
    if (send.status === "done") yield* Effect.logInfo("an audience was notified", { notification_id: send.send_id })
  })

  return { get, create, update, nextMembers, announce }
})

/** `done` when the lanes are at their end and no chunk waits. */
const withStatus = (send: AudienceSend): AudienceSend => {
  const { lanes, status, waiting = [] } = send
  const isDone = status === "running" && waiting.length === 0 && lanes.every(({ shard }) => shard >= audienceShards)
  return isDone ? { ...send, status: "done" } : send
}
