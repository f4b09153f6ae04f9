/**
 * How far each user has read which room. One document per user, and one per room below a configured size, so that members can
 * show who has read what. A new message costs no member anything: unread messages are counted when they are asked for.
 *
 * Positions are collected in memory and written at most once a second, each document once; a later position replaces an
 * earlier one, so a crash loses at most the last second. Nodes merge by the highest position, in any order.
 *
 * `read` is broadcast at most once a second per room, `unread` at most every two seconds per room, each only in rooms below the
 * size. Each node counts for those users who are connected to it.
 */
import type { PortError } from "@armoricore/domain/Errors"
import { encodeTopic } from "@armoricore/domain/EncodedId"
import * as Collection from "@armoricore/state/Collection"
import { maxKeyBytes } from "@armoricore/state/Key"
import type { Bucket } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Latch, Layer, Option, Schema } from "effect"
import * as Topic from "../channel/Topic.ts"
import { allNodes, Cluster } from "../cluster/Cluster.ts"
import * as Throttle from "../pubsub/Throttle.ts"
import { Topics } from "../pubsub/Topics.ts"
import { PendingPositions, RecentPairs } from "./PendingPositions.ts"
import { RoomLog } from "./RoomLog.ts"

const maxAge = Duration.days(180)
const Position = Schema.Struct({ seq: Schema.Int, at: Schema.Int })

const userReads = {
  bucket: { name: "realtime_user_reads", maxAge } satisfies Bucket,
  /** By topic. */
  schema: Schema.Struct({ rooms: Schema.Record(Schema.String, Position) }),
}
const roomReads = {
  bucket: { name: "realtime_room_reads", maxAge } satisfies Bucket,
  /** By user; `full`: the room has more users than are listed. */
  schema: Schema.Struct({ users: Schema.Record(Schema.String, Schema.Int), full: Schema.Boolean }),
}
type RoomReads = typeof roomReads.schema.Type

export const buckets: ReadonlyArray<Bucket> = [userReads.bucket, roomReads.bucket]

export interface UnreadRoom {
  readonly topic: string
  /** The last `seq` that the user has read. */
  readonly seq: number
  /** Messages after it, counted up to {@link maxUnread}. */
  readonly unread: number
}

export const maxUnread = 1000

export class ReadState extends Context.Service<
  ReadState,
  {
    /** Returns the position after it: the highest one, and never behind the last message. */
    readonly markRead: (topic: string, userId: string, seq: number) => Effect.Effect<number, PortError>
    /** The user wrote this message. It counts as read if the room is on the user's list. */
    readonly noteSent: (topic: string, userId: string, seq: number) => void
    /** Adds the room to the user's list, as far as it is not there, as read up to `seq`; by default with all its messages. */
    readonly track: (topic: string, userId: string, seq?: number) => Effect.Effect<void, PortError>
    /** As `track`, for all users of a room. Reads one document when nothing has to be added. */
    readonly trackAll: (topic: string, userIds: ReadonlyArray<string>) => Effect.Effect<void, PortError>
    /** Removes the room from the user's list. */
    readonly untrack: (topic: string, userId: string) => Effect.Effect<void, PortError>
    /** By user; `undefined` in a room with more users than are listed. */
    readonly ofRoom: (topic: string) => Effect.Effect<Readonly<Record<string, number>> | undefined, PortError>
    /** The user's rooms, the most recently read first. */
    readonly ofUser: (userId: string, limit: number) => Effect.Effect<ReadonlyArray<UnreadRoom>, PortError>
    /** Deletes what the user has read. Returns the number of rooms. */
    readonly forget: (userId: string) => Effect.Effect<number, PortError>
    /** A message was appended: users of the room learn their unread counts. */
    readonly onMessage: (topic: string) => Effect.Effect<void>
  }
>()("@armoricore/realtime/ReadState") {}

export interface ReadStateOptions {
  /** Rooms with more readers have no `read_state`, and send neither `read` nor `unread`. Default 100. */
  readonly maxListed?: number
}

const maxRooms = 500
const flushInterval = "1 second"
const readInterval = "1 second"
const unreadInterval = "2 seconds"
const flushTimeout = "5 seconds"
const maxConcurrentWrites = 16
const unreadKind = "rooms.unread"
/** With the positions that the sending node knows: those of the last second are not written yet. */
const UnreadNotice = Schema.Struct({ topic: Schema.String, positions: Schema.Record(Schema.String, Schema.Int) })

export const layer = ({ maxListed = 100 }: ReadStateOptions = {}) =>
  Layer.effect(
    ReadState,
    Effect.gen(function* () {
      const roomLog = yield* RoomLog
      const topics = yield* Topics
      const cluster = yield* Cluster
      const users = yield* Collection.make(userReads)
      const rooms = yield* Collection.make(roomReads)
      const pendingUsers = new PendingPositions()
      const pendingRooms = new PendingPositions()
      const hasPending = yield* Latch.make(false)
      /** Users and rooms without a stored position, at the user's first message. */
      const untracked = new RecentPairs()

      const broadcastRead = yield* Throttle.make((topic) => sendReads(topic), readInterval)
      const broadcastUnread = yield* Throttle.make((topic) => sendUnread(topic), unreadInterval)
      /** Positions that are not broadcast yet, by room. */
      const unsent = new PendingPositions()

      const note = (topic: string, userId: string, seq: number): void => {
        pendingUsers.note(userId, topic, seq)
        pendingRooms.note(topic, userId, seq)
        hasPending.openUnsafe()
      }

      /** `onlyNew`: rooms that are on the list stay as they are. Returns whether something changed. */
      const mergeUser = (userId: string, positions: ReadonlyMap<string, number>, onlyNew = false) =>
        Effect.flatMap(Clock.currentTimeMillis, (at) =>
          users.modifyOrRetry(userId, (current) => {
            const merged = {
              ...Option.match(current, { onNone: () => ({}), onSome: ({ value }) => value.rooms }),
            } as Record<string, typeof Position.Type>
            let isChanged = false
            for (const [topic, seq] of positions) {
              const before = merged[topic]
              if (before !== undefined && (onlyNew || seq <= before.seq)) continue
              merged[topic] = { seq, at }
              isChanged = true
            }
            const retained = Object.entries(merged)
              .sort(([, a], [, b]) => b.at - a.at)
              .slice(0, maxRooms)
            return Effect.succeed([
              isChanged,
              isChanged ? Option.some({ rooms: Object.fromEntries(retained) }) : Option.none(),
            ])
          }),
        )

      const mergeRoom = (topic: string, positions: ReadonlyMap<string, number>) =>
        rooms.modifyOrRetry(roomKey(topic), (current) => {
          const before: RoomReads = Option.match(current, { onNone: () => emptyRoom, onSome: ({ value }) => value })
          if (before.full) return Effect.succeed([undefined, Option.none()])
          const merged = new Map(Object.entries(before.users))
          let isChanged = false
          for (const [userId, seq] of positions) {
            if (seq <= (merged.get(userId) ?? -1)) continue
            merged.set(userId, seq)
            isChanged = true
          }
          const full = merged.size > maxListed
          const after = { users: full ? {} : Object.fromEntries(merged), full }
          return Effect.succeed([undefined, isChanged ? Option.some(after) : Option.none()])
        })

      const forgetInRoom = (topic: string, userId: string) => {
        pendingRooms.forget(topic, userId)
        return rooms.modifyOrRetry(roomKey(topic), (current) => {
          const before = Option.getOrUndefined(current)?.value
          if (before === undefined || !Object.hasOwn(before.users, userId))
            return Effect.succeed([undefined, Option.none()])
          const { [userId]: _, ...others } = before.users
          return Effect.succeed([undefined, Option.some({ ...before, users: others })])
        })
      }

      /** Writes what is pending. A position that cannot be written stays pending. */
      const write = (
        pending: PendingPositions,
        merge: (key: string, positions: ReadonlyMap<string, number>) => Effect.Effect<unknown, PortError>,
      ) =>
        Effect.suspend(() =>
          Effect.forEach(
            pending.all(),
            ([key, positions]) =>
              merge(key, positions).pipe(
                Effect.as(true),
                Effect.catch((error) =>
                  Effect.as(
                    Effect.logDebug(`cannot write what ${key} has read: ${error.message}`),
                    error._tag !== "TransientError",
                  ),
                ),
                Effect.map((isDone) => {
                  if (isDone) pending.settle(key, positions)
                }),
              ),
            { concurrency: maxConcurrentWrites, discard: true },
          ),
        )

      const flush = Effect.andThen(write(pendingUsers, mergeUser), write(pendingRooms, mergeRoom))

      // Registered before the fiber below, so it runs after the fiber ended.
      yield* Effect.addFinalizer(() => Effect.asVoid(Effect.timeoutOption(flush, flushTimeout)))
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.gen(function* () {
            yield* hasPending.await
            hasPending.closeUnsafe()
            yield* flush
            if (pendingUsers.size + pendingRooms.size > 0) hasPending.openUnsafe()
            yield* Effect.sleep(flushInterval)
          }),
        ),
      )

      const ofRoom = Effect.fn("ReadState.ofRoom")(function* (topic: string) {
        const stored = Option.match(yield* rooms.get(roomKey(topic)), {
          onNone: () => emptyRoom,
          onSome: ({ value }) => value,
        })
        if (stored.full) return undefined
        // A Map: `__proto__` and `constructor` are valid user ids.
        const merged = new Map(Object.entries(stored.users))
        for (const [userId, seq] of pendingRooms.of(topic)) merged.set(userId, Math.max(seq, merged.get(userId) ?? 0))
        return Object.fromEntries(merged)
      })

      /** The positions of the user by topic, with those that are not written yet. */
      const positionsOf = Effect.fnUntraced(function* (userId: string) {
        const stored = Option.match(yield* users.get(userId), {
          onNone: () => ({}),
          onSome: ({ value }) => value.rooms,
        })
        const merged: Record<string, typeof Position.Type> = { ...stored }
        const now = yield* Clock.currentTimeMillis
        for (const [topic, seq] of pendingUsers.of(userId))
          if (seq > (merged[topic]?.seq ?? -1)) merged[topic] = { seq, at: now }
        return merged
      })

      const logFailure = (topic: string) => (error: PortError) =>
        Effect.logDebug(`cannot send what the users of ${topic} have read: ${error.message}`)

      const sendReads = (topic: string): Effect.Effect<void> =>
        Effect.gen(function* () {
          const positions = unsent.take(topic)
          if ((yield* ofRoom(topic)) === undefined) return
          for (const [user_id, seq] of positions)
            yield* topics.broadcast(topic, "read", { user_id, seq }, { droppable: true })
        }).pipe(Effect.catch(logFailure(topic)))

      /** To the users with sockets on this node. */
      const deliverUnread = (topic: string, positions: Readonly<Record<string, number>>): Effect.Effect<void> =>
        Effect.forEach(
          Object.entries(positions).filter(([userId]) => topics.subscriberCount(Topic.user(userId)) > 0),
          Effect.fnUntraced(function* ([userId, seq]) {
            const position = Math.max(seq, pendingRooms.of(topic).get(userId) ?? 0)
            const count = yield* roomLog.count(topic, position, maxUnread)
            topics.deliver(Topic.user(userId), "unread", { topic, room_id: Topic.roomIdOf(topic), count })
          }),
          { discard: true },
        ).pipe(Effect.catch(logFailure(topic)))

      const notifyUnread = (topic: string, positions: Readonly<Record<string, number>>): Effect.Effect<void> =>
        Effect.andThen(
          deliverUnread(topic, positions),
          cluster.isClustered ? cluster.send(allNodes, unreadKind, { topic, positions }) : Effect.void,
        )

      const sendUnread = (topic: string): Effect.Effect<void> =>
        Effect.flatMap(ofRoom(topic), (positions) =>
          positions === undefined ? Effect.void : notifyUnread(topic, positions),
        ).pipe(Effect.catch(logFailure(topic)))

      const track = Effect.fn("ReadState.track")(function* (topic: string, userId: string, upTo?: number) {
        if ((yield* positionsOf(userId))[topic] !== undefined) return
        const seq = upTo ?? (yield* roomLog.lastSeq(topic))
        // At once: another node that tracks the room in the next second must find it.
        const isNew = yield* mergeUser(userId, new Map([[topic, seq]]), true)
        untracked.delete(userId, topic)
        if (!isNew) return
        pendingRooms.note(topic, userId, seq)
        hasPending.openUnsafe()
      })

      const run = Effect.runForkWith(yield* Effect.context<never>())
      yield* cluster.on(unreadKind, UnreadNotice, ({ value }) => {
        run(deliverUnread(value.topic, value.positions))
      })

      return {
        markRead: Effect.fn("ReadState.markRead")(function* (topic, userId, seq) {
          const last = yield* roomLog.lastSeq(topic)
          const known = pendingUsers.of(userId).get(topic) ?? 0
          const position = Math.max(known, Math.min(seq, last))
          note(topic, userId, position)
          unsent.note(topic, userId, position)
          yield* broadcastRead.trigger(topic)
          // The user's other devices.
          yield* notifyUnread(topic, { [userId]: position })
          return position
        }),
        noteSent: (topic, userId, seq) => {
          if (pendingUsers.knows(userId, topic)) return note(topic, userId, seq)
          if (untracked.has(userId, topic)) return
          untracked.add(userId, topic)
          run(
            Effect.matchEffect(positionsOf(userId), {
              onSuccess: (positions) =>
                Effect.sync(() => {
                  if (positions[topic] !== undefined) note(topic, userId, seq)
                }),
              // The next message tries again.
              onFailure: (error) =>
                Effect.andThen(
                  logFailure(topic)(error),
                  Effect.sync(() => untracked.delete(userId, topic)),
                ),
            }),
          )
        },
        track,
        trackAll: Effect.fn("ReadState.trackAll")(function* (topic, userIds) {
          const listed = (yield* ofRoom(topic)) ?? {}
          const missing = userIds.filter((userId) => !Object.hasOwn(listed, userId))
          yield* Effect.forEach(missing, (userId) => track(topic, userId), { discard: true })
        }),
        untrack: Effect.fn("ReadState.untrack")(function* (topic, userId) {
          pendingUsers.forget(userId, topic)
          yield* users.modifyOrRetry(userId, (current) => {
            const before = Option.getOrUndefined(current)?.value.rooms ?? {}
            if (before[topic] === undefined) return Effect.succeed([undefined, Option.none()])
            const { [topic]: _, ...others } = before
            return Effect.succeed([undefined, Option.some({ rooms: others })])
          })
          yield* forgetInRoom(topic, userId)
        }),
        ofRoom,
        ofUser: Effect.fn("ReadState.ofUser")(function* (userId, limit) {
          const positions = Object.entries(yield* positionsOf(userId))
            .sort(([, a], [, b]) => b.at - a.at)
            .slice(0, limit)
          return yield* Effect.forEach(
            positions,
            ([topic, { seq }]) =>
              Effect.map(roomLog.count(topic, seq, maxUnread), (unread) => ({ topic, seq, unread })),
            { concurrency: 8 },
          )
        }),
        forget: Effect.fn("ReadState.forget")(function* (userId) {
          const read = Object.keys(yield* positionsOf(userId))
          pendingUsers.take(userId)
          yield* Effect.forEach(read, (topic) => forgetInRoom(topic, userId), { discard: true })
          yield* Collection.retryConflicts(users.remove(userId))
          return read.length
        }),
        onMessage: (topic) => broadcastUnread.trigger(topic),
      }
    }),
  )

/** The longest topics of direct messages are too long for a key. */
const roomKey = (topic: string): string => (Buffer.byteLength(topic) <= maxKeyBytes ? topic : encodeTopic(topic))

const emptyRoom: RoomReads = { users: {}, full: false }
