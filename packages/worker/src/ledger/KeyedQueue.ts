/**
 * The order of messages that touch one thing: messages with one key enter a lane, and only the one at its head is
 * worked on, over all processes. A lane is one document, moved by compare-and-set.
 *
 * - A message enters at its place by arrival, never before the head, which may be running.
 * - The head stays until it is decided, also while it waits for its next try: what follows waits behind it.
 * - Who is not at the head goes back to the bus and holds no slot; the farther from the head, the later it asks again.
 * - A head that has not been seen for long (its message expired on the bus) and that nobody works on is dropped.
 *
 * Arrival is the bus's time. A message that another process took and has not entered yet can be overtaken by a later
 * one; where even that matters, put a version into the thing itself, as `media` does with its generations.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { Conflict } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import type { Bucket, KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Clock, Duration, Effect, Option, Schema } from "effect"

const QueueDocument = Schema.Struct({
  /** The head first. `until`: when the member counts as gone, if nobody works on it. Epoch milliseconds. */
  queue: Schema.Array(Schema.Struct({ member: Schema.String, at: Schema.Finite, until: Schema.Finite })),
})
type QueueEntry = (typeof QueueDocument.Type)["queue"][number]

export interface QueuePosition {
  /** 0: it is this member's turn. */
  readonly position: number
}

export interface KeyedQueue {
  /** `at`: when the bus took the message, epoch milliseconds. May be asked again and again. */
  readonly enqueue: (
    partition: string,
    member: string,
    at: number,
  ) => Effect.Effect<QueuePosition, Conflict | StateError>
  /** Keeps the place of a member that comes back no earlier than `after`. */
  readonly extend: (
    partition: string,
    member: string,
    after: Duration.Duration,
  ) => Effect.Effect<void, Conflict | StateError>
  /** The member is decided and told: the next one's turn. */
  readonly dequeue: (partition: string, member: string) => Effect.Effect<void, Conflict | StateError>
}

/** Longer than any message is silent that is still on the bus, besides a wait that was announced. */
const inactivityTimeout = Duration.toMillis(Duration.minutes(5))
/** More would make the document large; those behind wait outside and enter by their arrival. */
const maxLength = 256

/** `isHeld`: whether a living owner works on a member. */
export const make = (
  bucket: Bucket,
  isLeased: (member: string) => Effect.Effect<boolean, StateError>,
): Effect.Effect<KeyedQueue, never, KeyValue> =>
  Effect.map(Collection.make({ bucket, schema: QueueDocument }), (queues) => {
    const modify = <A>(
      partition: string,
      change: (
        queue: ReadonlyArray<QueueEntry>,
        now: number,
      ) => Effect.Effect<readonly [result: A, queue: ReadonlyArray<QueueEntry> | undefined], StateError>,
    ) =>
      queues.modify(keyOf(partition), (current) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const queue = Option.match(current, { onNone: () => [], onSome: ({ value }) => value.queue })
          const [result, next] = yield* change(queue, now)
          return [result, next === undefined ? Option.none() : Option.some({ queue: next })] as const
        }),
      )

    return {
      enqueue: (partition, member, at) =>
        modify(partition, (given, now) =>
          Effect.gen(function* () {
            const [head] = given
            const isGone =
              head !== undefined && head.member !== member && head.until <= now && !(yield* isLeased(head.member))
            const queue = isGone ? given.slice(1) : given
            const place = queue.findIndex((one) => one.member === member)
            const mine = queue[place]
            if (mine === undefined) {
              if (queue.length >= maxLength) return [{ position: maxLength }, isGone ? queue : undefined] as const
              const behind = queue.findIndex((one, index) => index > 0 && one.at > at)
              const position = queue.length === 0 ? 0 : behind === -1 ? queue.length : behind
              return [
                { position },
                queue.toSpliced(position, 0, { member, at, until: now + inactivityTimeout }),
              ] as const
            }
            const isFresh = mine.until - now > inactivityTimeout / 2
            if (isFresh) return [{ position: place }, isGone ? queue : undefined] as const
            return [{ position: place }, queue.with(place, { ...mine, until: now + inactivityTimeout })] as const
          }),
        ),
      extend: (partition, member, after) =>
        modify(partition, (queue, now) => {
          const place = queue.findIndex((one) => one.member === member)
          const mine = queue[place]
          const until = now + Duration.toMillis(after) + inactivityTimeout
          return Effect.succeed([
            undefined,
            mine === undefined || until <= mine.until ? undefined : queue.with(place, { ...mine, until }),
          ] as const)
        }),
      dequeue: (partition, member) =>
        modify(partition, (queue) => {
          const left = queue.filter((one) => one.member !== member)
          return Effect.succeed([undefined, left.length === queue.length ? undefined : left] as const)
        }),
    }
  })

/** A handler's key is any text; a key of the state has at most 512 bytes. */
const keyOf = (partition: string): string =>
  partition.length <= 128 ? `lane:${partition}` : `lane:${sha256(partition)}`
