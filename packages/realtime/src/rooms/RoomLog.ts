/**
 * The ordered log of a topic: an entry is appended to the history, gets its `seq` there, and is then broadcast. A client
 * that reconnects sends the last `seq` it received and gets the rest, so broadcasts of one topic must leave in the order of
 * their `seq`: a client that received 8 before 7 would never request 7.
 *
 * With several nodes, the history itself publishes each append to every node with members of the topic
 * (`RoomSubscriptions`). Only entries that are buffered during an outage of the history are broadcast by this node.
 *
 * Appends of one topic run in batches: the entries that arrived during the previous batch, and in the same poll phase of the
 * event loop, are appended concurrently, sorted by the `seq` that they got, and broadcast. An idle topic has no batch, no fiber and no memory.
 */
import {
  type AppendResult,
  History,
  type HistoryItem,
  type HistoryPage,
  type PageRequest,
} from "@armoricore/history/History"
import type { PortError } from "@armoricore/domain/Errors"
import { Context, Deferred, Effect, Exit, FiberSet, Layer } from "effect"
import { ChannelError } from "../channel/ChannelError.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { Topics } from "../pubsub/Topics.ts"
import * as CoalescedReads from "./CoalescedReads.ts"
import { InFlightAppends } from "./InFlightAppends.ts"
import * as OutageBuffer from "./OutageBuffer.ts"
import { decode, decodeRaw, encode, type LogEntry } from "./RoomEntry.ts"
import * as RoomSubscriptions from "./RoomSubscriptions.ts"

export type { LogEntry } from "./RoomEntry.ts"

export interface AppendedEntry extends LogEntry {
  /** False: the topic had this id already. `payload` is the stored one, and nothing was broadcast. */
  readonly fresh: boolean
}

export interface NewEntry {
  readonly event: string
  /** Unique within its topic. */
  readonly id: string
  /** Without `seq`. */
  readonly payload: object
  /** A slow consumer may lose it. */
  readonly droppable?: boolean
}

export interface ReplayRequest {
  /** The last `seq` that the client received. */
  readonly since?: number | undefined
  /** Maximum number of entries. */
  readonly last?: number | undefined
}

export interface HistoryRequest {
  /** The latest entries before this `seq`. Without `before` and `after`: the latest entries. */
  readonly before?: number | undefined
  /** The oldest entries after this `seq`. */
  readonly after?: number | undefined
  /** Maximum number of entries; at most {@link maxPageEntries}. */
  readonly limit?: number | undefined
}

export interface LogPage {
  /** Ascending. */
  readonly entries: ReadonlyArray<LogEntry>
  /** Stored entries follow the page: later ones after a request with `after`, otherwise earlier ones. */
  readonly more: boolean
  /** False: an entry between `after` (in a replay `since`) and the page is no longer stored. Always true without `after`. */
  readonly recovered: boolean
}

/**
 * With `since` the oldest entries after it, otherwise the latest entries. `recovered` is also false while the history is
 * unavailable.
 */
export interface Replay extends LogPage {
  /** With `more`: where the next page begins; `after` of the next request with `since`, otherwise its `before`. */
  readonly next: number | undefined
  /** For the `upToSeq` of a join. */
  readonly upToSeq: number
}

export class RoomLog extends Context.Service<
  RoomLog,
  {
    /** Appends and broadcasts. Fails with the ChannelError `removed` if moderation removed this id. */
    readonly append: (topic: string, entry: NewEntry) => Effect.Effect<AppendedEntry, ChannelError | PortError>
    /** For a join. The bodies of the entries have at most `maxBytes` together, or the page has one entry. */
    readonly replay: (topic: string, request: ReplayRequest, maxBytes: number) => Effect.Effect<Replay, PortError>
    /** A page of the history. Fails with a TransientError while the history is unavailable. */
    readonly history: (topic: string, request: HistoryRequest, maxBytes: number) => Effect.Effect<LogPage, PortError>
    /** False if there was no such entry. The caller broadcasts the removal. */
    readonly remove: (topic: string, id: string) => Effect.Effect<boolean, PortError>
  }
>()("@armoricore/realtime/RoomLog") {}

/** Entries of a join reply where the client requests no number. */
export const defaultReplayLimit = 50

/** The most entries of one reply. */
export const maxPageEntries = 1000

const maxBatch = 256

export const layer: Layer.Layer<RoomLog, never, Cluster | History | Topics> = Layer.effect(
  RoomLog,
  Effect.gen(function* () {
    const history = yield* History
    const topics = yield* Topics
    const outageBuffer = yield* OutageBuffer.make(history, (topic) => topics.subscriberCount(topic) > 0)
    const inFlight = new InFlightAppends()

    const deliverAppended = (topic: string, item: HistoryItem): void => {
      outageBuffer.noteSequence(topic, item.seq)
      if (!inFlight.receive(topic, item)) return
      const { event, payload, seq, droppable } = decodeRaw(item)
      topics.deliver(topic, event, payload, { seq, droppable })
    }
    /** `undefined` on a single node, which broadcasts its own appends. */
    const subscriptions = (yield* Cluster).isClustered
      ? yield* RoomSubscriptions.make({ topics, deliver: deliverAppended })
      : undefined

    const stores: Stores = { history, outageBuffer, inFlight }
    const append = yield* makeBatchedAppend({ ...stores, topics, isClustered: subscriptions !== undefined })
    const coalesceReplays = yield* CoalescedReads.make<Replay, PortError>()
    const coalescePages = yield* CoalescedReads.make<LogPage, PortError>()

    return {
      append,
      replay: Effect.fn("RoomLog.replay")(function* (topic, { since, last }, maxBytes) {
        // The subscription precedes the read, so no append between the two is missed.
        if (subscriptions !== undefined) yield* subscriptions.awaitReady(topic)
        const limit = Math.min(maxPageEntries, last ?? (since === undefined ? defaultReplayLimit : maxPageEntries))
        if (limit === 0) return yield* emptyReplay(stores, topic, since)
        const page = pageOf({ after: since }, limit, maxBytes)
        return yield* coalesceReplays(`${topic} ${since} ${limit} ${maxBytes}`, readReplay(stores, topic, page))
      }),
      history: Effect.fn("RoomLog.history")(function* (topic, request, maxBytes) {
        const limit = Math.min(maxPageEntries, request.limit ?? defaultReplayLimit)
        const page = pageOf(request, limit, maxBytes)
        const key = `${topic} ${request.before} ${request.after} ${limit} ${maxBytes}`
        const read = Effect.map(history.read(topic, page), ({ complete, items, more }): LogPage => ({
          entries: items.map(decode),
          more,
          recovered: complete,
        }))
        return yield* coalescePages(key, read)
      }),
      remove: Effect.fn("RoomLog.remove")(function* (topic, id) {
        return outageBuffer.remove(topic, id) || (yield* history.remove(topic, id))
      }),
    }
  }),
)

interface Stores {
  readonly history: History["Service"]
  readonly outageBuffer: OutageBuffer.OutageBuffer
  readonly inFlight: InFlightAppends
}

interface PendingAppend {
  readonly entry: NewEntry
  readonly done: Deferred.Deferred<AppendedEntry, ChannelError | PortError>
}

interface AppendOutcome {
  readonly result: AppendResult
  /** The entry is in the outage buffer: the history did not publish it. */
  readonly isBuffered: boolean
}

const endOfPollPhase = Effect.callback<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** Hot path, once per message: no spans. */
const makeBatchedAppend = Effect.fnUntraced(function* (
  options: Stores & { readonly topics: Topics["Service"]; readonly isClustered: boolean },
) {
  const { inFlight, isClustered, outageBuffer, topics } = options
  const fork = yield* FiberSet.makeRuntime<never, void>()
  /** Topics with a running batch, and the entries of the next one. */
  const queues = new Map<string, Array<PendingAppend>>()

  const appendOne = (topic: string, { entry, done }: PendingAppend) => {
    if (isClustered) inFlight.begin(topic, entry.id)
    const body = encode({ ...entry, droppable: entry.droppable === true })
    return Effect.flatMap(Effect.exit(appendOrBuffer(options, topic, entry.id, body)), (exit) => {
      if (Exit.isSuccess(exit)) return Effect.succeed({ entry, done, ...exit.value })
      inFlight.settle(topic, entry.id)
      return Effect.as(Deferred.failCause(done, exit.cause), undefined)
    })
  }

  const appendBatch = Effect.fnUntraced(function* (topic: string, batch: ReadonlyArray<PendingAppend>) {
    const outcomes = yield* Effect.forEach(batch, (pending) => appendOne(topic, pending), { concurrency: "unbounded" })
    const inOrder = outcomes.filter((one) => one !== undefined).sort((a, b) => seqOf(a.result) - seqOf(b.result))
    for (const { entry, done, result, isBuffered } of inOrder) {
      if (result._tag === "Removed") {
        inFlight.settle(topic, entry.id)
        yield* Deferred.fail(done, removedError)
        continue
      }
      outageBuffer.noteSequence(topic, result.item.seq)
      const appended = decode(result.item)
      if (result.fresh && (!isClustered || isBuffered)) {
        inFlight.markDelivered(topic, entry.id)
        const droppable = entry.droppable === true
        topics.deliver(topic, appended.event, appended.payload, { seq: appended.seq, droppable })
      }
      inFlight.settle(topic, entry.id)
      yield* Deferred.succeed(done, { ...appended, fresh: result.fresh })
    }
  })

  const drainQueue = Effect.fnUntraced(function* (topic: string) {
    for (;;) {
      // One poll phase reads the frames of many sockets: the batch takes the entries of all of them.
      yield* endOfPollPhase
      const batch = queues.get(topic)?.splice(0, maxBatch) ?? []
      if (batch.length === 0) break
      const exit = yield* Effect.exit(appendBatch(topic, batch))
      // A defect in one entry must not leave the other callers of the batch waiting forever.
      if (Exit.isFailure(exit)) {
        yield* Effect.forEach(batch, ({ done }) => Deferred.failCause(done, exit.cause), { discard: true })
      }
    }
    queues.delete(topic)
  })

  return (topic: string, entry: NewEntry): Effect.Effect<AppendedEntry, ChannelError | PortError> =>
    Effect.suspend(() => {
      const pending: PendingAppend = { entry, done: Deferred.makeUnsafe() }
      const queue = queues.get(topic)
      if (queue === undefined) {
        queues.set(topic, [pending])
        fork(drainQueue(topic))
      } else queue.push(pending)
      return Deferred.await(pending.done)
    })
})

/** Buffers while the history is unavailable, and while earlier entries of the topic are still in the buffer. */
const appendOrBuffer = (
  { history, inFlight, outageBuffer }: Stores,
  topic: string,
  id: string,
  body: Uint8Array,
): Effect.Effect<AppendOutcome, PortError> => {
  const buffer = Effect.suspend((): Effect.Effect<AppendOutcome, PortError> => {
    const item = inFlight.receivedItem(topic, id)
    if (item !== undefined) return Effect.succeed(storedOutcome({ _tag: "Appended", item, fresh: true }))
    return Effect.map(outageBuffer.buffer(topic, id, body), ({ entry, fresh }) => ({
      result: { _tag: "Appended", item: entry, fresh },
      isBuffered: true,
    }))
  })
  if (outageBuffer.has(topic)) return buffer
  return Effect.catchTag(Effect.map(history.append(topic, id, body), storedOutcome), "TransientError", () => buffer)
}

const storedOutcome = (result: AppendResult): AppendOutcome => ({ result, isBuffered: false })

const seqOf = (result: AppendResult): number => (result._tag === "Appended" ? result.item.seq : 0)

const removedError = new ChannelError({ reason: "removed" })

const pageOf = (
  { after, before }: Pick<HistoryRequest, "after" | "before">,
  limit: number,
  maxBytes: number,
): PageRequest => {
  const limits = { limit, maxBytes }
  return after !== undefined ? { after, ...limits } : before !== undefined ? { before, ...limits } : limits
}

const readReplay = Effect.fnUntraced(function* (stores: Stores, topic: string, page: PageRequest) {
  const { after: since } = page
  const { items, more, complete } = yield* readPage(stores, topic, page)
  const last = items.at(-1)?.seq
  stores.outageBuffer.noteSequence(topic, Math.max(last ?? 0, complete ? (since ?? 0) : 0))
  return {
    entries: items.map(decode),
    recovered: since === undefined || complete,
    more,
    next: !more ? undefined : since === undefined ? items[0]?.seq : last,
    upToSeq: last ?? 0,
  } satisfies Replay
})

/** For `last: 0`: reads one entry to know whether there are any. */
const emptyReplay = (stores: Stores, topic: string, since: number | undefined) =>
  Effect.map(readReplay(stores, topic, pageOf({ after: since }, 1, 1)), ({ entries, recovered }) => ({
    entries: [],
    recovered,
    more: entries.length > 0,
    next: entries[0] === undefined ? undefined : (since ?? entries[0].seq + 1),
    upToSeq: since ?? 0,
  }))

/** A page of the history; during an outage the topic's buffered entries, or an empty page. */
const readPage = (
  { history, outageBuffer }: Stores,
  topic: string,
  page: PageRequest,
): Effect.Effect<HistoryPage, PortError> =>
  outageBuffer.has(topic)
    ? Effect.sync(() => ({ items: outageBuffer.entriesOf(topic).slice(-page.limit), more: false, complete: false }))
    : Effect.catchTag(history.read(topic, page), "TransientError", (error) =>
        Effect.as(Effect.logWarning(`joined ${topic} without history: ${error.message}`), {
          items: [],
          more: false,
          complete: false,
        }),
      )
