/**
 * What is said on a topic with a history, in order: an entry is added to the history, gets its `seq` there, and is then
 * broadcast. A client that comes back with the last `seq` it saw gets the rest, so broadcasts of one topic must leave
 * in the order of their `seq`: a client that saw 8 before 7 would never ask for 7.
 *
 * Entries of one topic are therefore written in rounds: all that came during the last round are added side by side,
 * sorted by what the history made of them, and broadcast. A quiet topic has no round, no fiber and no memory.
 */
import { type Appended, History, type Item, type Page, type Stretch } from "@armoricore/history/History"
import type { PortError } from "@armoricore/domain/Errors"
import { Context, Deferred, Effect, Exit, FiberSet, Layer } from "effect"
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

export const layer: Layer.Layer<Timeline, never, History | Topics> = Layer.effect(
  Timeline,
  Effect.gen(function* () {
    const history = yield* History
    const topics = yield* Topics
    const rounds = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(rounds)()
    /** Topics that are being written to, with what waits for the next round. */
    const queues = new Map<string, Array<Waiting>>()

    const unsaved = yield* Unsaved.make(history, (topic) => topics.size(topic) > 0)

    /** Rooms go on while the history is away; then, too, what is said next waits behind what waits already. */
    const append = (topic: string, { id }: Post, body: Uint8Array): Effect.Effect<Appended, PortError> => {
      const keep = Effect.map(unsaved.keep(topic, id, body), ({ kept, fresh }): Appended => ({
        _tag: "Kept",
        item: kept,
        fresh,
      }))
      return unsaved.has(topic) ? keep : Effect.catchTag(history.append(topic, id, body), "TransientError", () => keep)
    }

    const add = (topic: string, { post, done }: Waiting) =>
      Effect.flatMap(Effect.exit(append(topic, post, pack(post))), (exit) =>
        Exit.isSuccess(exit)
          ? Effect.succeed({ post, done, appended: exit.value })
          : Effect.as(Deferred.failCause(done, exit.cause), undefined),
      )

    const round = Effect.fnUntraced(function* (topic: string, batch: ReadonlyArray<Waiting>) {
      const added = yield* Effect.forEach(batch, (waiting) => add(topic, waiting), { concurrency: "unbounded" })
      const inOrder = added.filter((one) => one !== undefined).sort((a, b) => seqOf(a.appended) - seqOf(b.appended))
      for (const { post, done, appended } of inOrder) {
        if (appended._tag === "Removed") {
          yield* Deferred.fail(done, removed)
          continue
        }
        unsaved.know(topic, appended.item.seq)
        const entry = unpack(appended.item)
        if (appended.fresh) {
          const options = { seq: entry.seq, droppable: post.droppable === true }
          yield* topics.broadcast(topic, entry.event, entry.payload, options)
        }
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
        yield* round(topic, batch)
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
        const limit = Math.min(maxEntries, last ?? (since === undefined ? defaultLast : maxEntries))
        if (limit === 0) return Effect.succeed({ entries: [], recovered: since === undefined, covers: since ?? 0 })
        return share(`${topic} ${since} ${limit}`, replay(topic, since, limit))
      },
      remove: (topic, id) =>
        Effect.suspend(() => (unsaved.remove(topic, id) ? Effect.succeed(true) : history.remove(topic, id))),
    }
  }),
)

const removed = new Refusal({ reason: "removed" })

const seqOf = (appended: Appended): number => (appended._tag === "Kept" ? appended.item.seq : 0)

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const pack = ({ event, payload }: Post): Uint8Array => encoder.encode(JSON.stringify({ event, payload }))

const unpack = ({ seq, body }: Item): Entry => {
  // The history gives back what `pack` made.
  const { event, payload } = JSON.parse(decoder.decode(body)) as { readonly event: string; readonly payload: object }
  return { event, seq, payload: { ...payload, seq } }
}

const latestWithin = (items: ReadonlyArray<Item>, limit: number): ReadonlyArray<Item> => {
  let bytes = 0
  const first = items.findLastIndex(({ body }) => (bytes += body.byteLength) > limit)
  return items.slice(first + 1)
}
