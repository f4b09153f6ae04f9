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
import { type Appended, History, type Item, type Page, type Stretch } from "@armoricore/history/History"
import type { PortError } from "@armoricore/domain/Errors"
import { Context, Deferred, Effect, Exit, FiberSet, Layer } from "effect"
import { Cluster } from "./cluster/Cluster.ts"
import * as RoomFeeds from "./cluster/RoomFeeds.ts"
import { OwnPosts } from "./cluster/OwnPosts.ts"
import { pack, unpack, unpackRaw } from "./Packed.ts"
import { Refusal } from "./Refusal.ts"
import * as SharedReads from "./SharedReads.ts"
import { Topics } from "./Topics.ts"
import * as Unsaved from "./Unsaved.ts"

/** An entry as clients see it. */
export interface Entry {
  readonly event: string
  readonly seq: number
  /** The event's payload, `seq` included. */
  readonly payload: Readonly<Record<string, unknown>>
}

export interface Posted extends Entry {
  /** False: this id was there before, `payload` is what it was posted with, and nothing was broadcast. */
  readonly fresh: boolean
}

export interface Post {
  readonly event: string
  /** Stands once on its topic. */
  readonly id: string
  /** Without `seq`. */
  readonly payload: object
  /** A slow reader may lose it. */
  readonly droppable?: boolean
}

export interface Wanted {
  /** The last `seq` that the client saw. */
  readonly since?: number | undefined
  /** At most so many. */
  readonly last?: number | undefined
}

export interface Replay {
  /** Ascending. */
  readonly entries: ReadonlyArray<Entry>
  /** False: between `since` and the first entry something is gone. */
  readonly recovered: boolean
  /** For the `covers` of a join. */
  readonly covers: number
}

export class Timeline extends Context.Service<
  Timeline,
  {
    /** Adds and broadcasts. A `Refusal` `removed` where moderation took this id away. */
    readonly post: (topic: string, post: Post) => Effect.Effect<Posted, Refusal | PortError>
    readonly replay: (topic: string, wanted: Wanted) => Effect.Effect<Replay, PortError>
    /** Whether there was such an entry. Telling the topic is the caller's. */
    readonly remove: (topic: string, id: string) => Effect.Effect<boolean, PortError>
  }
>()("@armoricore/realtime/Timeline") {}

/** What a join gets where it does not say. */
export const defaultLast = 50

/** Most entries and bytes of one reply: a socket's queue holds 1 MiB. */
const maxEntries = 1000
const maxReplyBytes = 600_000

const roundSize = 256

interface Waiting {
  readonly post: Post
  readonly done: Deferred.Deferred<Posted, Refusal | PortError>
}

export const layer: Layer.Layer<Timeline, never, Cluster | History | Topics> = Layer.effect(
  Timeline,
  Effect.gen(function* () {
    const history = yield* History
    const topics = yield* Topics
    const rounds = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(rounds)()
    /** Topics that are being written to, with what waits for the next round. */
    const queues = new Map<string, Array<Waiting>>()

    const isWatched = (topic: string) => topics.size(topic) > 0
    const unsaved = yield* Unsaved.make(history, isWatched)

    const own = new OwnPosts()
    const tellAdded = (topic: string, item: Item): void => {
      unsaved.know(topic, item.seq)
      if (!own.hear(topic, item)) return
      const { event, payload, seq, droppable } = unpackRaw(item)
      topics.deliver(topic, event, payload, { seq, droppable })
    }
    /** Where there are other nodes the history tells what was added; `undefined` on a node alone. */
    const feeds = (yield* Cluster).isShared
      ? yield* RoomFeeds.make({ isWanted: isWatched, tell: tellAdded, miss: topics.miss })
      : undefined

    /** Rooms go on while the history is away; then, too, what is said next waits behind what waits already. */
    const append = (topic: string, id: string, body: Uint8Array): Effect.Effect<Attempt, PortError> => {
      const keep = Effect.suspend((): Effect.Effect<Attempt, PortError> => {
        const heard = own.heard(topic, id)
        if (heard !== undefined) return Effect.succeed(inHistory({ _tag: "Kept", item: heard, fresh: true }))
        return Effect.map(unsaved.keep(topic, id, body), ({ kept, fresh }) => ({
          appended: { _tag: "Kept", item: kept, fresh },
          isUnsaved: true,
        }))
      })
      if (unsaved.has(topic)) return keep
      return Effect.catchTag(Effect.map(history.append(topic, id, body), inHistory), "TransientError", () => keep)
    }

    const add = (topic: string, { post, done }: Waiting) => {
      if (feeds !== undefined) own.begin(topic, post.id)
      const body = pack({ ...post, droppable: post.droppable === true })
      return Effect.flatMap(Effect.exit(append(topic, post.id, body)), (exit) => {
        if (Exit.isSuccess(exit)) return Effect.succeed({ post, done, ...exit.value })
        own.settle(topic, post.id)
        return Effect.as(Deferred.failCause(done, exit.cause), undefined)
      })
    }

    const round = Effect.fnUntraced(function* (topic: string, batch: ReadonlyArray<Waiting>) {
      const added = yield* Effect.forEach(batch, (waiting) => add(topic, waiting), { concurrency: "unbounded" })
      const inOrder = added.filter((one) => one !== undefined).sort((a, b) => seqOf(a.appended) - seqOf(b.appended))
      for (const { post, done, appended, isUnsaved } of inOrder) {
        if (appended._tag === "Removed") {
          own.settle(topic, post.id)
          yield* Deferred.fail(done, removed)
          continue
        }
        unsaved.know(topic, appended.item.seq)
        const entry = unpack(appended.item)
        const options = { seq: entry.seq, droppable: post.droppable === true }
        if (appended.fresh && (feeds === undefined || isUnsaved)) {
          own.told(topic, post.id)
          topics.deliver(topic, entry.event, entry.payload, options)
        }
        own.settle(topic, post.id)
        yield* Deferred.succeed(done, { ...entry, fresh: appended.fresh })
      }
    })

    /** What the history has, or what is kept for it while it is away. */
    const read = (topic: string, page: Page): Effect.Effect<Stretch, PortError> =>
      unsaved.has(topic)
        ? Effect.sync(() => ({ items: unsaved.of(topic).slice(-page.limit), complete: false }))
        : Effect.catchTag(history.read(topic, page), "TransientError", (error) =>
            Effect.as(Effect.logWarning(`a join goes without history: ${error.message}`), {
              items: [],
              complete: false,
            }),
          )

    const replay = Effect.fnUntraced(function* (topic: string, since: number | undefined, limit: number) {
      const { items, complete } = yield* read(topic, since === undefined ? { limit } : { since, limit })
      const fitting = latestWithin(items, maxReplyBytes)
      const covers = items.at(-1)?.seq ?? 0
      unsaved.know(topic, Math.max(covers, complete ? (since ?? 0) : 0))
      return {
        entries: fitting.map(unpack),
        recovered: since === undefined || (complete && fitting.length === items.length),
        covers,
      }
    })
    const share = yield* SharedReads.make<Replay, PortError>()

    const write = Effect.fnUntraced(function* (topic: string) {
      for (;;) {
        const batch = queues.get(topic)?.splice(0, roundSize) ?? []
        if (batch.length === 0) break
        const exit = yield* Effect.exit(round(topic, batch))
        // A fault in one must not leave the others, and the topic, without an answer for ever.
        if (Exit.isFailure(exit)) {
          yield* Effect.forEach(batch, ({ done }) => Deferred.failCause(done, exit.cause), { discard: true })
        }
      }
      queues.delete(topic)
    })

    return {
      post: (topic, post) =>
        Effect.suspend(() => {
          const waiting: Waiting = { post, done: Deferred.makeUnsafe() }
          const queue = queues.get(topic)
          if (queue === undefined) {
            queues.set(topic, [waiting])
            fork(write(topic))
          } else queue.push(waiting)
          return Deferred.await(waiting.done)
        }),
      replay: (topic, { since, last }) => {
        // What is added from here on is heard; then what was added before is read.
        const ready = feeds === undefined ? Effect.void : feeds.ready(topic)
        const limit = Math.min(maxEntries, last ?? (since === undefined ? defaultLast : maxEntries))
        if (limit === 0) return Effect.as(ready, { entries: [], recovered: since === undefined, covers: since ?? 0 })
        return Effect.andThen(ready, share(`${topic} ${since} ${limit}`, replay(topic, since, limit)))
      },
      remove: (topic, id) =>
        Effect.suspend(() => (unsaved.remove(topic, id) ? Effect.succeed(true) : history.remove(topic, id))),
    }
  }),
)

const removed = new Refusal({ reason: "removed" })

/** What became of an addition; `isUnsaved`: it is kept here until the history is back. */
interface Attempt {
  readonly appended: Appended
  readonly isUnsaved: boolean
}

const inHistory = (appended: Appended): Attempt => ({ appended, isUnsaved: false })

const seqOf = (appended: Appended): number => (appended._tag === "Kept" ? appended.item.seq : 0)

const latestWithin = (items: ReadonlyArray<Item>, limit: number): ReadonlyArray<Item> => {
  let bytes = 0
  const first = items.findLastIndex(({ body }) => (bytes += body.byteLength) > limit)
  return items.slice(first + 1)
}
