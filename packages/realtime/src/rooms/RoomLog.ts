/**
 * What is said on a topic with a history, in order: an entry is added to the history, gets its `seq` there, and is then
 * broadcast. A client that comes back with the last `seq` it saw gets the rest, so broadcasts of one topic must leave
 * in the order of their `seq`: a client that saw 8 before 7 would never ask for 7.
 *
 * On many nodes it is the history that tells what was added, to every node that has the topic (`RoomFeeds`); nobody
 * broadcasts then, except what is said while the history is away.
 *
 * Entries of one topic are therefore written in rounds: all that came during the last round are added side by side,
 * sorted by what the history made of them, and broadcast. A quiet topic has no round, no fiber and no memory.
 */
import {
  type AppendResult,
  History,
  type HistoryItem,
  type ReadOptions,
  type HistoryPage,
} from "@armoricore/history/History"
import type { PortError } from "@armoricore/domain/Errors"
import { Context, Deferred, Effect, Exit, FiberSet, Layer } from "effect"
import { Cluster } from "../cluster/Cluster.ts"
import * as RoomSubscriptions from "./RoomSubscriptions.ts"
import { InFlightAppends } from "./InFlightAppends.ts"
import { encode, decode, decodeRaw } from "./EntryCodec.ts"
import { ChannelError } from "../channel/ChannelError.ts"
import * as CoalescedReads from "./CoalescedReads.ts"
import { Topics } from "../pubsub/Topics.ts"
import * as OutageBuffer from "./OutageBuffer.ts"

/** An entry as clients see it. */
export interface LogEntry {
  readonly event: string
  readonly seq: number
  /** The event's payload, `seq` included. */
  readonly payload: Readonly<Record<string, unknown>>
}

export interface AppendedEntry extends LogEntry {
  /** False: this id was there before, `payload` is what it was posted with, and nothing was broadcast. */
  readonly fresh: boolean
}

export interface NewEntry {
  readonly event: string
  /** Stands once on its topic. */
  readonly id: string
  /** Without `seq`. */
  readonly payload: object
  /** A slow reader may lose it. */
  readonly droppable?: boolean
}

export interface ReplayRequest {
  /** The last `seq` that the client saw. */
  readonly since?: number | undefined
  /** At most so many. */
  readonly last?: number | undefined
}

export interface Replay {
  /** Ascending. */
  readonly entries: ReadonlyArray<LogEntry>
  /** False: between `since` and the first entry something is gone. */
  readonly recovered: boolean
  /** For the `covers` of a join. */
  readonly upToSeq: number
}

export class RoomLog extends Context.Service<
  RoomLog,
  {
    /** Adds and broadcasts. A `Refusal` `removed` where moderation took this id away. */
    readonly append: (topic: string, post: NewEntry) => Effect.Effect<AppendedEntry, ChannelError | PortError>
    readonly replay: (topic: string, wanted: ReplayRequest) => Effect.Effect<Replay, PortError>
    /** Whether there was such an entry. Telling the topic is the caller's. */
    readonly remove: (topic: string, id: string) => Effect.Effect<boolean, PortError>
  }
>()("@armoricore/realtime/RoomLog") {}

/** What a join gets where it does not say. */
export const defaultReplayLimit = 50

/** Most entries and bytes of one reply: a socket's queue holds 1 MiB. */
const maxReplayEntries = 1000
const maxReplyBytes = 600_000

const maxBatch = 256

interface PendingAppend {
  readonly newEntry: NewEntry
  readonly done: Deferred.Deferred<AppendedEntry, ChannelError | PortError>
}

export const layer: Layer.Layer<RoomLog, never, Cluster | History | Topics> = Layer.effect(
  RoomLog,
  Effect.gen(function* () {
    const history = yield* History
    const topics = yield* Topics
    const rounds = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(rounds)()
    /** Topics that are being written to, with what waits for the next round. */
    const queues = new Map<string, Array<PendingAppend>>()

    const hasSubscribers = (topic: string) => topics.subscriberCount(topic) > 0
    const outageBuffer = yield* OutageBuffer.make(history, hasSubscribers)

    const inFlight = new InFlightAppends()
    const deliverAppended = (topic: string, item: HistoryItem): void => {
      outageBuffer.noteSequence(topic, item.seq)
      if (!inFlight.receive(topic, item)) return
      const { event, payload, seq, droppable } = decodeRaw(item)
      topics.deliver(topic, event, payload, { seq, droppable })
    }
    /** Where there are other nodes the history tells what was added; `undefined` on a node alone. */
    const subscriptions = (yield* Cluster).isClustered
      ? yield* RoomSubscriptions.make({ topics, deliver: deliverAppended })
      : undefined

    /** Rooms go on while the history is away; then, too, what is said next waits behind what waits already. */
    const append = (topic: string, id: string, body: Uint8Array): Effect.Effect<AppendOutcome, PortError> => {
      const keep = Effect.suspend((): Effect.Effect<AppendOutcome, PortError> => {
        const heard = inFlight.receivedItem(topic, id)
        if (heard !== undefined) return Effect.succeed(storedOutcome({ _tag: "Kept", item: heard, fresh: true }))
        return Effect.map(outageBuffer.buffer(topic, id, body), ({ kept, fresh }) => ({
          appended: { _tag: "Kept", item: kept, fresh },
          isBuffered: true,
        }))
      })
      if (outageBuffer.has(topic)) return keep
      return Effect.catchTag(Effect.map(history.append(topic, id, body), storedOutcome), "TransientError", () => keep)
    }

    const add = (topic: string, { newEntry, done }: PendingAppend) => {
      if (subscriptions !== undefined) inFlight.begin(topic, newEntry.id)
      const body = encode({ ...newEntry, droppable: newEntry.droppable === true })
      return Effect.flatMap(Effect.exit(append(topic, newEntry.id, body)), (exit) => {
        if (Exit.isSuccess(exit)) return Effect.succeed({ newEntry, done, ...exit.value })
        inFlight.settle(topic, newEntry.id)
        return Effect.as(Deferred.failCause(done, exit.cause), undefined)
      })
    }

    const appendBatch = Effect.fnUntraced(function* (topic: string, batch: ReadonlyArray<PendingAppend>) {
      const added = yield* Effect.forEach(batch, (waiting) => add(topic, waiting), { concurrency: "unbounded" })
      const inOrder = added.filter((one) => one !== undefined).sort((a, b) => seqOf(a.appended) - seqOf(b.appended))
      for (const { newEntry, done, appended, isBuffered } of inOrder) {
        if (appended._tag === "Removed") {
          inFlight.settle(topic, newEntry.id)
          yield* Deferred.fail(done, removedError)
          continue
        }
        outageBuffer.noteSequence(topic, appended.item.seq)
        const entry = decode(appended.item)
        const options = { seq: entry.seq, droppable: newEntry.droppable === true }
        if (appended.fresh && (subscriptions === undefined || isBuffered)) {
          inFlight.markDelivered(topic, newEntry.id)
          topics.deliver(topic, entry.event, entry.payload, options)
        }
        inFlight.settle(topic, newEntry.id)
        yield* Deferred.succeed(done, { ...entry, fresh: appended.fresh })
      }
    })

    /** What the history has, or what is kept for it while it is away. */
    const read = (topic: string, page: ReadOptions): Effect.Effect<HistoryPage, PortError> =>
      outageBuffer.has(topic)
        ? Effect.sync(() => ({ items: outageBuffer.entriesOf(topic).slice(-page.limit), complete: false }))
        : Effect.catchTag(history.read(topic, page), "TransientError", (error) =>
            Effect.as(Effect.logWarning(`a join goes without history: ${error.message}`), {
              items: [],
              complete: false,
            }),
          )

    const replay = Effect.fnUntraced(function* (topic: string, since: number | undefined, limit: number) {
      const { items, complete } = yield* read(topic, since === undefined ? { limit } : { since, limit })
      const fitting = latestWithin(items, maxReplyBytes)
      const upToSeq = items.at(-1)?.seq ?? 0
      outageBuffer.noteSequence(topic, Math.max(upToSeq, complete ? (since ?? 0) : 0))
      return {
        entries: fitting.map(decode),
        recovered: since === undefined || (complete && fitting.length === items.length),
        upToSeq,
      }
    })
    const coalesce = yield* CoalescedReads.make<Replay, PortError>()

    const drainQueue = Effect.fnUntraced(function* (topic: string) {
      for (;;) {
        const batch = queues.get(topic)?.splice(0, maxBatch) ?? []
        if (batch.length === 0) break
        const exit = yield* Effect.exit(appendBatch(topic, batch))
        // A fault in one must not leave the others, and the topic, without an answer for ever.
        if (Exit.isFailure(exit)) {
          yield* Effect.forEach(batch, ({ done }) => Deferred.failCause(done, exit.cause), { discard: true })
        }
      }
      queues.delete(topic)
    })

    return {
      append: (topic, newEntry) =>
        Effect.suspend(() => {
          const waiting: PendingAppend = { newEntry, done: Deferred.makeUnsafe() }
          const queue = queues.get(topic)
          if (queue === undefined) {
            queues.set(topic, [waiting])
            fork(drainQueue(topic))
          } else queue.push(waiting)
          return Deferred.await(waiting.done)
        }),
      replay: (topic, { since, last }) => {
        // What is added from here on is heard; then what was added before is read.
        const ready = subscriptions === undefined ? Effect.void : subscriptions.awaitReady(topic)
        const limit = Math.min(maxReplayEntries, last ?? (since === undefined ? defaultReplayLimit : maxReplayEntries))
        if (limit === 0) return Effect.as(ready, { entries: [], recovered: since === undefined, upToSeq: since ?? 0 })
        return Effect.andThen(ready, coalesce(`${topic} ${since} ${limit}`, replay(topic, since, limit)))
      },
      remove: (topic, id) =>
        Effect.suspend(() => (outageBuffer.remove(topic, id) ? Effect.succeed(true) : history.remove(topic, id))),
    }
  }),
)

const removedError = new ChannelError({ reason: "removed" })

/** What became of an addition; `isUnsaved`: it is kept here until the history is back. */
interface AppendOutcome {
  readonly appended: AppendResult
  readonly isBuffered: boolean
}

const storedOutcome = (appended: AppendResult): AppendOutcome => ({ appended, isBuffered: false })

const seqOf = (appended: AppendResult): number => (appended._tag === "Kept" ? appended.item.seq : 0)

const latestWithin = (items: ReadonlyArray<HistoryItem>, limit: number): ReadonlyArray<HistoryItem> => {
  let bytes = 0
  const first = items.findLastIndex(({ body }) => (bytes += body.byteLength) > limit)
  return items.slice(first + 1)
}
