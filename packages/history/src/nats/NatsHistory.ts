/**
 * The history in a JetStream stream with a subject per room: `ARMORICORE_HISTORY` over `armoricore-history.<room>`. `seq`
 * is the stream's own sequence, so a room's `seq` increases and has gaps.
 *
 * Completeness follows from the items that are left: the server deletes a room's oldest items first, so if an item at or
 * before `since` is left, no item after it was deleted. If none is left, nothing was deleted if the whole stream still
 * begins at or before `since`. Otherwise it is unknown, and the result is `complete: false`.
 */
import { NatsConnection } from "@armoricore/nats/NatsConnection"
import { natsRequest, streamRequest, errorFrom } from "@armoricore/nats/NatsErrors"
import { Duration, Effect, Layer, Stream } from "effect"
import { headers, type Msg, type JetStreamClient, type JetStreamManager, type NatsConnection as Client } from "nats"
import { Subscribers } from "../Subscribers.ts"
import { type AppendNotification, check, History, type HistoryItem } from "../History.ts"
import { defaults, type Retention } from "../Retention.ts"
import * as NatsHistoryReader from "./NatsHistoryReader.ts"
import { republishSubjectOf, ensureStream, isMessageNotFound, streamName, subjectOf } from "./NatsHistoryStream.ts"

export interface NatsHistoryOptions extends Partial<Retention> {
  /** Maximum size on disk; the oldest items are deleted first. Default 1 GiB. */
  readonly maxBytes?: number
  /** Replicas in a cluster. Default 1. */
  readonly replicas?: number
  /** `verify`: `setup` creates and changes nothing, for services without that permission. Default `apply`. */
  readonly manage?: "apply" | "verify"
  /** As in `NatsOptions`. */
  readonly inboxPrefix?: string
}

interface JetStreamHandles {
  readonly client: Client
  readonly js: JetStreamClient
  readonly manager: JetStreamManager
}

const resource = `stream ${streamName}`

export const layer = (options: NatsHistoryOptions = {}): Layer.Layer<History, never, NatsConnection> =>
  Layer.effect(
    History,
    Effect.gen(function* () {
      const connection = yield* NatsConnection
      const retention = { ...defaults, ...options }

      /** The item that was first appended with this id; undefined if it was removed since. */
      const findDuplicate = (nats: JetStreamHandles, room: string, seq: number) =>
        Effect.map(NatsHistoryReader.getMessage(nats, { seq }), (found): HistoryItem | undefined =>
          found === undefined || found.subject !== subjectOf(room)
            ? undefined
            : { seq, id: found.header.get("Nats-Msg-Id").slice(room.length + 1), body: found.data },
        )

      const subscribers = new Subscribers()
      // Ends with the layer.
      yield* Effect.forkScoped(
        Stream.runForEach(Stream.drop(connection.statusChanges, 1), (status) =>
          status === "connected" ? Effect.sync(() => subscribers.notifyGap()) : Effect.void,
        ),
      )

      return {
        append: Effect.fnUntraced(function* (room, id, body) {
          yield* check(room, id, body)
          const nats = yield* connection.jetstream
          const marks = headers()
          marks.set("Nats-Msg-Id", `${room}/${id}`)
          const stored = yield* streamRequest(resource, () =>
            nats.js.publish(subjectOf(room), body, { headers: marks }),
          )
          if (!stored.duplicate) return { _tag: "Appended", item: { seq: stored.seq, id, body }, fresh: true } as const
          const item = yield* findDuplicate(nats, room, stored.seq)
          return item === undefined
            ? ({ _tag: "Removed" } as const)
            : ({ _tag: "Appended", item, fresh: false } as const)
        }),
        read: Effect.fnUntraced(function* (room, { since = 0, limit }) {
          yield* check(room)
          const nats = yield* connection.jetstream
          const from = { seq: 1, next_by_subj: subjectOf(room) }
          const first = since === 0 ? undefined : yield* NatsHistoryReader.getMessage(nats, from)
          const items = yield* NatsHistoryReader.readConsistent(
            nats,
            room,
            Math.max(since + 1, first?.seq ?? 1),
            limit + 1,
          )
          const anchored = first !== undefined && first.seq <= since
          const whole =
            (anchored && items.length > 0) || (yield* isContiguous(nats, room, since, anchored, retention.maxPerRoom))
          return { items: items.slice(-limit), complete: whole && items.length <= limit }
        }),
        subscribe: Effect.fnUntraced(function* (room, onAppend, onGap) {
          yield* check(room)
          const client = yield* connection.connected
          yield* subscribers.add(room, () => {}, onGap)
          yield* Effect.acquireRelease(
            Effect.sync(() =>
              client.subscribe(republishSubjectOf(room), {
                callback: (error, message) => (error === null ? onAppend(toNotification(room, message)) : onGap()),
              }),
            ),
            (subscription) => Effect.sync(() => subscription.unsubscribe()),
          )
          // A response to a later request proves that the server has processed the subscription. While disconnected,
          // the client subscribes again after the reconnect, and the time between is a gap.
          if ((yield* connection.status) === "connected") yield* natsRequest(resource, () => client.flush())
        }),
        remove: Effect.fnUntraced(function* (room, id) {
          yield* check(room, id)
          const nats = yield* connection.jetstream
          const items = yield* NatsHistoryReader.readLatest(nats, room, 1, retention.maxPerRoom)
          const item = items.find((candidate) => candidate.id === id)
          if (item === undefined) return false
          return yield* Effect.tryPromise({
            try: () => nats.manager.streams.deleteMessage(streamName, item.seq, true),
            catch: (cause) => cause,
          }).pipe(
            // Another process appended first.
            Effect.catchIf(isMessageNotFound, () => Effect.succeed(false)),
            Effect.mapError(errorFrom(resource)),
          )
        }),
        setup: Effect.flatMap(connection.jetstream, ({ manager }) =>
          ensureStream(manager, {
            maxAge: Duration.toMillis(retention.maxAge),
            maxPerRoom: retention.maxPerRoom,
            maxBytes: options.maxBytes ?? 1024 ** 3,
            replicas: options.replicas ?? 1,
            manage: options.manage ?? "apply",
          }),
        ),
      }
    }),
  )

const toNotification = (room: string, { data, headers: marks }: Msg): AppendNotification => ({
  item: {
    seq: Number(marks?.get("Nats-Sequence")),
    id: (marks?.get("Nats-Msg-Id") ?? "").slice(room.length + 1),
    body: data,
  },
  previousSeq: Number(marks?.get("Nats-Last-Sequence")),
})

/** No item of this room after `since` was deleted, as far as the stream can tell. */
const isContiguous = (nats: JetStreamHandles, room: string, since: number, anchored: boolean, maxPerRoom: number) =>
  Effect.map(
    natsRequest(resource, () => nats.manager.streams.info(streamName, { subjects_filter: subjectOf(room) })),
    ({ state }) =>
      // A `seq` that the stream never assigned comes from an earlier stream.
      since <= state.last_seq &&
      (anchored || (state.first_seq <= since + 1 && (state.subjects?.[subjectOf(room)] ?? 0) < maxPerRoom)),
  )
