/**
 * The history in a JetStream stream with a subject per room: `ARMORICORE_HISTORY` over `armoricore-history.<room>`. `seq`
 * is the stream's own sequence, so a room's `seq` increases and has gaps.
 *
 * Completeness follows from the items that are left: the server deletes a room's oldest items first, so if an item at or
 * before `after` is left, no item after it was deleted. The same holds if the first item that is left carries a
 * predecessor at or before `after`, or if the whole stream still begins at or before `after`. Otherwise it is unknown (for
 * example in a room whose items are all too old), and the result is `complete: false`.
 */
import { NatsConnection } from "@armoricore/nats/NatsConnection"
import { jetStreamErrorCode, natsRequest, type NatsRequestError, streamRequest } from "@armoricore/nats/NatsErrors"
import { Duration, Effect, Layer, Stream } from "effect"
import { headers, type Msg, type NatsConnection as Client } from "nats"
import { Subscribers } from "../Subscribers.ts"
import { type AppendNotification, check, History, type PageRequest } from "../History.ts"
import { defaults, type Retention } from "../Retention.ts"
import { ItemPositions } from "./ItemPositions.ts"
import * as NatsIdIndex from "./NatsIdIndex.ts"
import { Predecessors } from "./Predecessors.ts"
import * as NatsHistoryReader from "./NatsHistoryReader.ts"
import {
  countFrom,
  getMessage,
  type JetStreamHandles as RequestHandles,
  lastSeqOf,
  markHeader,
} from "./NatsHistoryRequests.ts"
import * as NatsRangeReader from "./NatsRangeReader.ts"
import * as NatsRemoval from "./NatsRemoval.ts"
import * as NatsReplacements from "./NatsReplacements.ts"
import {
  republishSubjectOf,
  ensureStream,
  itemIdOf,
  messageIdOf,
  roomOf,
  streamName,
  subjectOf,
} from "./NatsHistoryStream.ts"

export interface NatsHistoryOptions extends Partial<Retention> {
  /** Maximum size on disk; the oldest items are deleted first. Default 1 GiB. */
  readonly maxBytes?: number
  /**
   * So many of the newest items of a room are searched for an id. Larger rooms have an index of their ids. Default 10,000.
   */
  readonly maxSearched?: number
  /**
   * A page that is farther from the end of the stream than so many messages for each of its items is read without a consumer;
   * see `NatsRangeReader`. Default 400.
   */
  readonly maxCountedPerItem?: number
  /** Replicas in a cluster. Default 1. */
  readonly replicas?: number
  /** `verify`: `setup` creates and changes nothing, for services without that permission. Default `apply`. */
  readonly manage?: "apply" | "verify"
  /** As in `NatsOptions`. */
  readonly inboxPrefix?: string
}

interface JetStreamHandles extends RequestHandles {
  readonly client: Client
}

const resource = `stream ${streamName}`

export const layer = (options: NatsHistoryOptions = {}): Layer.Layer<History, never, NatsConnection> =>
  Layer.effect(
    History,
    Effect.gen(function* () {
      const connection = yield* NatsConnection
      const retention = { ...defaults, ...options }

      const { maxCountedPerItem = 400 } = options
      const jetstream = Effect.map(connection.jetstream, (nats) => ({ ...nats, maxCountedPerItem }))
      const maxSearched = options.maxSearched ?? 10_000
      const isIndexed = retention.maxPerRoom > maxSearched
      const positions = new ItemPositions()

      /** A search covers the whole room, or the items that the index does not have. */
      const findSeq = Effect.fnUntraced(function* (nats: JetStreamHandles, room: string, id: string) {
        const seq = isIndexed ? yield* NatsIdIndex.find(nats, room, id) : undefined
        return seq ?? (yield* NatsHistoryReader.findId(nats, room, id, maxSearched))
      })

      /** The item as it was appended; undefined if none is stored, or it was removed. */
      const findById = Effect.fnUntraced(function* (nats: JetStreamHandles, room: string, id: string) {
        const known = positions.seqOf(room, id)
        const seq = known ?? (yield* findSeq(nats, room, id))
        if (seq === undefined) return undefined
        const item = yield* NatsHistoryReader.getItem(nats, room, seq)
        return item?.id === id ? item : undefined
      })

      /** The page with the current bodies of its items, which may exceed `maxBytes` now. */
      const withReplacements = Effect.fnUntraced(function* (
        nats: JetStreamHandles,
        room: string,
        page: NatsHistoryReader.Page,
        { after, limit, maxBytes }: PageRequest,
      ) {
        for (const item of page.items) positions.note(room, item)
        const items = yield* NatsReplacements.apply(nats, room, page.items)
        if (items === page.items) return page
        const fromStart = after === undefined ? [...items].reverse() : items
        const count = NatsHistoryReader.countFitting(fromStart, limit, maxBytes)
        if (count === items.length) return { ...page, items }
        const fitting = fromStart.slice(0, count)
        return { items: after === undefined ? fitting.reverse() : fitting, more: true }
      })

      const predecessors = new Predecessors()
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
          const nats = yield* jetstream
          const stored = yield* predecessors
            .use(
              room,
              Effect.map(lastSeqOf(nats, room), (seq) => seq ?? 0),
              (previous) =>
                publish(nats, room, id, body, previous).pipe(
                  Effect.catchIf(isOtherPredecessor, () => publish(nats, room, id, body, undefined)),
                ),
            )
            .pipe(Effect.onError(() => Effect.sync(() => predecessors.forget(room))))
          predecessors.note(room, stored.seq)
          positions.note(room, { id, seq: stored.seq })
          if (isIndexed && !stored.duplicate) yield* NatsIdIndex.add(nats.client, room, { id, seq: stored.seq })
          if (!stored.duplicate) return { _tag: "Appended", item: { seq: stored.seq, id, body }, fresh: true } as const
          const original = yield* NatsHistoryReader.getItem(nats, room, stored.seq)
          const [item] = original === undefined ? [] : yield* NatsReplacements.apply(nats, room, [original])
          return item === undefined
            ? ({ _tag: "Removed" } as const)
            : ({ _tag: "Appended", item, fresh: false } as const)
        }),
        read: Effect.fnUntraced(function* (room, request) {
          yield* check(room)
          const { after, before, limit, maxBytes } = request
          const nats = yield* jetstream
          const found = yield* after === undefined
            ? NatsHistoryReader.readBefore(nats, room, { before, limit, maxBytes })
            : NatsHistoryReader.readAfter(nats, room, { after, limit, maxBytes })
          const page = yield* withReplacements(nats, room, found, request)
          // Afterwards: items deleted in between make the result incomplete, never wrong.
          return {
            ...page,
            complete: after === undefined || (yield* isComplete(nats, room, after, retention.maxPerRoom)),
          }
        }),
        subscribe: Effect.fnUntraced(function* (room, onAppend, onGap) {
          yield* check(room)
          const client = yield* connection.connected
          yield* subscribers.add(room, () => {}, onGap)
          yield* Effect.acquireRelease(
            Effect.sync(() =>
              client.subscribe(republishSubjectOf(room), {
                callback: (error, message) => {
                  if (error !== null) return onGap()
                  if (message.headers?.has(markHeader)) return
                  const notification = toNotification(message)
                  predecessors.note(room, notification.item.seq)
                  positions.note(room, notification.item)
                  onAppend(notification)
                },
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
          const nats = yield* jetstream
          const item = yield* findById(nats, room, id)
          if (item === undefined) return false
          return yield* NatsRemoval.deleteItem(nats, subjectOf(room), item.seq)
        }),
        removeMatching: Effect.fnUntraced(function* (text, matches) {
          const nats = yield* jetstream
          const found = yield* NatsHistoryReader.readAll(
            nats,
            (body) => Buffer.from(body).includes(text) && matches(body),
          )
          // The body that replaced another one belongs to the item of that one.
          const items = found.map((one) => ({ ...one, ...NatsReplacements.targetOf(one) }))
          const removed = yield* Effect.filter(items, ({ seq, subject }) => NatsRemoval.deleteItem(nats, subject, seq))
          return removed.map(({ body, id, subject }) => ({ room: roomOf(subject), id, body }))
        }),
        get: Effect.fnUntraced(function* (room, id) {
          yield* check(room, id)
          const nats = yield* jetstream
          const item = yield* findById(nats, room, id)
          return item === undefined ? undefined : (yield* NatsReplacements.apply(nats, room, [item]))[0]
        }),
        replace: Effect.fnUntraced(function* (room, id, expected, body) {
          yield* check(room, id, body)
          const nats = yield* jetstream
          const item = yield* findById(nats, room, id)
          return item !== undefined && (yield* NatsReplacements.replace(nats, room, item, expected, body))
        }),
        count: Effect.fnUntraced(function* (room, after, limit) {
          yield* check(room)
          const nats = yield* jetstream
          return yield* NatsRangeReader.count(nats, room, after, limit)
        }),
        setup: Effect.flatMap(jetstream, ({ manager }) =>
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

/** The `seq` of the room's previous item when this one was appended; 0 if nothing of the room was stored. */
const previousHeader = "Armoricore-Previous"

/** JetStream's error when a message's expected predecessor is not the subject's last message. */
const wrongLastSequence = 10071

const isOtherPredecessor = (error: NatsRequestError): boolean => jetStreamErrorCode(error.cause) === wrongLastSequence

const publish = (
  { js }: JetStreamHandles,
  room: string,
  id: string,
  body: Uint8Array,
  previous: number | undefined,
) => {
  const marks = headers()
  marks.set("Nats-Msg-Id", messageIdOf(room, id))
  if (previous !== undefined) marks.set(previousHeader, String(previous))
  const expect = previous === undefined ? {} : { expect: { lastSubjectSequence: previous } }
  return streamRequest(resource, () => js.publish(subjectOf(room), body, { headers: marks, ...expect }))
}

const toNotification = ({ data, headers: marks }: Msg): AppendNotification => ({
  item: {
    seq: Number(marks?.get("Nats-Sequence")),
    id: itemIdOf(marks?.get("Nats-Msg-Id")),
    body: data,
  },
  previousSeq: Number(marks?.get("Nats-Last-Sequence")),
})

/** No item of this room after `after` was deleted, as far as the stream can tell. */
const isComplete = Effect.fnUntraced(function* (
  nats: JetStreamHandles,
  room: string,
  after: number,
  maxPerRoom: number,
) {
  const first = yield* getMessage(nats, { seq: 1, next_by_subj: subjectOf(room) })
  const { state } = yield* natsRequest(resource, () => nats.manager.streams.info(streamName))
  // A `seq` that the stream never assigned comes from an earlier stream.
  if (after > state.last_seq) return false
  if (first !== undefined && first.seq <= after) return true
  const previous = first?.header.get(previousHeader) ?? ""
  if (Number(previous) > 0 && Number(previous) <= after) return true
  // Retention by age and size deletes from the start of the stream, retention by number only from a full room.
  if (state.first_seq > after + 1) return false
  if (previous !== "" && Number(previous) === 0) return true
  return first === undefined || (yield* countFrom(nats, room, first.seq)) < maxPerRoom
})
