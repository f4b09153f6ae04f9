/**
 * What was said while the history was away, until it is back. Rooms go on meanwhile: an entry gets the number that would
 * come next as far as this node knows, is broadcast with it, and is added to the history as soon as that answers.
 *
 * Such a number is never higher than the one that the history gives in the end. So whoever comes back with one as
 * `since` may get an entry again, with the same id, and never misses one.
 */
import type { History } from "@armoricore/history/History"
import { TransientError } from "@armoricore/domain/Errors"
import { Effect, Latch, type Scope } from "effect"

export interface BufferedEntry {
  readonly id: string
  readonly seq: number
  readonly body: Uint8Array
}

export interface OutageBuffer {
  readonly has: (topic: string) => boolean
  /** Ascending. */
  readonly entriesOf: (topic: string) => ReadonlyArray<BufferedEntry>
  /** The kept entry, and whether it was kept before. Fails when as much is kept as may be. */
  readonly buffer: (
    topic: string,
    id: string,
    body: Uint8Array,
  ) => Effect.Effect<{ readonly kept: BufferedEntry; readonly fresh: boolean }, TransientError>
  readonly remove: (topic: string, id: string) => boolean
  /** The highest number that is known of a topic. */
  readonly noteSequence: (topic: string, seq: number) => void
}

/** Entries of all topics together, some 10 MB of short messages. */
const maxEntries = 10_000
const maxTrackedTopics = 10_000
const retryInterval = "1 second"

const bufferFull = new TransientError({
  dependency: "history",
  code: "full",
  message: "the history is away, and as much is kept for it as may be",
})

export const make = (
  history: History["Service"],
  hasSubscribers: (topic: string) => boolean,
): Effect.Effect<OutageBuffer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const topics = new Map<string, Array<BufferedEntry>>()
    const highestSeq = new Map<string, number>()
    const hasEntries = yield* Latch.make(false)
    let count = 0

    const flushTopic = Effect.fnUntraced(function* (topic: string, queue: Array<BufferedEntry>) {
      for (;;) {
        const [first] = queue
        if (first === undefined) break
        const saved = yield* history
          .append(topic, first.id, first.body)
          .pipe(
            Effect.catchTag("PermanentError", (error) =>
              Effect.as(Effect.logError(`an entry of ${topic} cannot be kept: ${error.message}`), undefined),
            ),
          )
        if (saved?._tag === "Kept") noteSequence(topic, saved.item.seq)
        // It may have been removed while it was on its way.
        const at = queue.indexOf(first)
        if (at === -1) yield* history.remove(topic, first.id)
        else {
          queue.splice(at, 1)
          count--
        }
      }
      topics.delete(topic)
    })

    const noteSequence = (topic: string, seq: number): void => {
      if (seq <= (highestSeq.get(topic) ?? 0)) return
      if (highestSeq.size >= maxTrackedTopics && !highestSeq.has(topic)) {
        for (const other of highestSeq.keys())
          if (!hasSubscribers(other) && !topics.has(other)) highestSeq.delete(other)
      }
      highestSeq.set(topic, seq)
    }

    const flush = Effect.gen(function* () {
      yield* hasEntries.await
      yield* Effect.sleep(retryInterval)
      const waiting = count
      yield* Effect.forEach([...topics], ([topic, queue]) => flushTopic(topic, queue), {
        concurrency: 16,
        discard: true,
      }).pipe(Effect.catch((error) => Effect.logDebug("the history is still away", error)))
      if (topics.size > 0) return
      hasEntries.closeUnsafe()
      yield* Effect.logInfo(`the history is back; ${waiting} entries were kept for it`)
    })
    yield* Effect.addFinalizer(() =>
      count === 0
        ? Effect.void
        : Effect.logError(`${count} entries are lost: the history did not come back before the end`),
    )
    yield* Effect.forkScoped(Effect.forever(flush))

    return {
      has: (topic) => topics.has(topic),
      entriesOf: (topic) => topics.get(topic) ?? [],
      buffer: Effect.fnUntraced(function* (topic, id, body) {
        const queue = topics.get(topic) ?? []
        const same = queue.find((kept) => kept.id === id)
        if (same !== undefined) return { kept: same, fresh: false }
        if (count >= maxEntries) return yield* bufferFull
        const kept = { id, seq: (highestSeq.get(topic) ?? 0) + 1, body }
        noteSequence(topic, kept.seq)
        topics.set(topic, queue)
        queue.push(kept)
        count++
        hasEntries.openUnsafe()
        // Not before: another one that is kept in between would find no queue either, and make a second.
        if (count === 1) yield* Effect.logWarning("the history is away: rooms go on, and what is said is kept for it")
        return { kept, fresh: true }
      }),
      remove: (topic, id) => {
        const queue = topics.get(topic)
        const at = queue?.findIndex((kept) => kept.id === id) ?? -1
        if (queue === undefined || at === -1) return false
        queue.splice(at, 1)
        count--
        return true
      },
      noteSequence,
    }
  })
