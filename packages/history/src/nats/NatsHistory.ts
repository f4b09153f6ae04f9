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
import {
  errorFrom,
  jetStreamErrorCode,
  natsRequest,
  type NatsRequestError,
  streamRequest,
} from "@armoricore/nats/NatsErrors"
import { Duration, Effect, Layer, Stream } from "effect"
import { headers, type Msg, type JetStreamClient, type JetStreamManager, type NatsConnection as Client } from "nats"
import { Subscribers } from "../Subscribers.ts"
import { type AppendNotification, check, History, type HistoryItem } from "../History.ts"
import { defaults, type Retention } from "../Retention.ts"
import { Predecessors } from "./Predecessors.ts"
import * as NatsHistoryReader from "./NatsHistoryReader.ts"
import {
  republishSubjectOf,
  ensureStream,
  isMessageNotFound,
  itemIdOf,
  messageIdOf,
  roomOf,
  streamName,
  subjectOf,
} from "./NatsHistoryStream.ts"

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
            : { seq, id: itemIdOf(found.header.get("Nats-Msg-Id")), body: found.data },
        )

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
          const nats = yield* connection.jetstream
          const stored = yield* predecessors
            .use(room, lastSeqOf(nats, room), (previous) =>
              publish(nats, room, id, body, previous).pipe(
                Effect.catchIf(isOtherPredecessor, () => publish(nats, room, id, body, undefined)),
              ),
            )
            .pipe(Effect.onError(() => Effect.sync(() => predecessors.forget(room))))
          predecessors.note(room, stored.seq)
          if (!stored.duplicate) return { _tag: "Appended", item: { seq: stored.seq, id, body }, fresh: true } as const
          const item = yield* findDuplicate(nats, room, stored.seq)
          return item === undefined
            ? ({ _tag: "Removed" } as const)
            : ({ _tag: "Appended", item, fresh: false } as const)
        }),
        read: Effect.fnUntraced(function* (room, { after, before, limit, maxBytes }) {
          yield* check(room)
          const nats = yield* connection.jetstream
          if (after === undefined) {
            return { ...(yield* NatsHistoryReader.readBefore(nats, room, { before, limit, maxBytes })), complete: true }
          }
          const page = yield* NatsHistoryReader.readAfter(nats, room, { after, limit, maxBytes })
          // Afterwards: items deleted in between make the result incomplete, never wrong.
          return { ...page, complete: yield* isComplete(nats, room, after, retention.maxPerRoom) }
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
                  const notification = toNotification(message)
                  predecessors.note(room, notification.item.seq)
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
          const nats = yield* connection.jetstream
          const items = yield* NatsHistoryReader.readIds(nats, room)
          const item = items.find((candidate) => candidate.id === id)
          if (item === undefined) return false
          return yield* deleteItem(nats, item.seq)
        }),
        removeMatching: Effect.fnUntraced(function* (text, matches) {
          const nats = yield* connection.jetstream
          const found = yield* NatsHistoryReader.readAll(
            nats,
            (body) => Buffer.from(body).includes(text) && matches(body),
          )
          const removed = yield* Effect.filter(found, ({ seq }) => deleteItem(nats, seq))
          return removed.map(({ body, id, subject }) => ({ room: roomOf(subject), id, body }))
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

/** The `seq` of the room's previous item when this one was appended; 0 if nothing of the room was stored. */
const previousHeader = "Armoricore-Previous"

/** JetStream's error when a message's expected predecessor is not the subject's last message. */
const wrongLastSequence = 10071

const isOtherPredecessor = (error: NatsRequestError): boolean => jetStreamErrorCode(error.cause) === wrongLastSequence

const lastSeqOf = (nats: JetStreamHandles, room: string) =>
  Effect.map(NatsHistoryReader.getMessage(nats, { last_by_subj: subjectOf(room) }), (found) => found?.seq ?? 0)

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

/** False if it was deleted before. */
const deleteItem = ({ manager }: JetStreamHandles, seq: number) =>
  Effect.tryPromise({
    try: () => manager.streams.deleteMessage(streamName, seq, true),
    catch: (cause) => cause,
  }).pipe(
    Effect.catchIf(isMessageNotFound, () => Effect.succeed(false)),
    Effect.mapError(errorFrom(resource)),
  )

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
  const first = yield* NatsHistoryReader.getMessage(nats, { seq: 1, next_by_subj: subjectOf(room) })
  const { state } = yield* natsRequest(resource, () =>
    nats.manager.streams.info(streamName, { subjects_filter: subjectOf(room) }),
  )
  // A `seq` that the stream never assigned comes from an earlier stream.
  if (after > state.last_seq) return false
  if (first !== undefined && first.seq <= after) return true
  const previous = first?.header.get(previousHeader) ?? ""
  if (Number(previous) > 0 && Number(previous) <= after) return true
  // Retention by age and size deletes from the start of the stream, retention by number only from a full room.
  const count = state.subjects?.[subjectOf(room)] ?? 0
  return state.first_seq <= after + 1 && (count < maxPerRoom || (previous !== "" && Number(previous) === 0))
})
