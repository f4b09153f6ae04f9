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
import { sha256 } from "@armoricore/domain/Causation"
import type { Conflict } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import type { Bucket, KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Clock, Duration, Effect, Option, Schema } from "effect"

const Lane = Schema.Struct({
  /** The head first. `until`: when the member counts as gone, if nobody works on it. Epoch milliseconds. */
  queue: Schema.Array(Schema.Struct({ member: Schema.String, at: Schema.Finite, until: Schema.Finite })),
})
type Member = (typeof Lane.Type)["queue"][number]

export interface Place {
  /** 0: it is this member's turn. */
  readonly position: number
}

export interface Lanes {
  /** `at`: when the bus took the message, epoch milliseconds. May be asked again and again. */
  readonly enter: (lane: string, member: string, at: number) => Effect.Effect<Place, Conflict | StateError>
  /** Keeps the place of a member that comes back no earlier than `after`. */
  readonly keep: (lane: string, member: string, after: Duration.Duration) => Effect.Effect<void, Conflict | StateError>
  /** The member is decided and told: the next one's turn. */
  readonly leave: (lane: string, member: string) => Effect.Effect<void, Conflict | StateError>
}

/** Longer than any message is silent that is still on the bus, besides a wait that was announced. */
const patience = Duration.toMillis(Duration.minutes(5))
/** More would make the document large; those behind wait outside and enter by their arrival. */
const longest = 256

/** `isHeld`: whether a living owner works on a member. */
export const make = (
  bucket: Bucket,
  isHeld: (member: string) => Effect.Effect<boolean, StateError>,
): Effect.Effect<Lanes, never, KeyValue> =>
  Effect.map(Collection.make({ bucket, schema: Lane }), (lanes) => {
    const modify = <A>(
      lane: string,
      change: (
        queue: ReadonlyArray<Member>,
        now: number,
      ) => Effect.Effect<readonly [result: A, queue: ReadonlyArray<Member> | undefined], StateError>,
    ) =>
      lanes.modify(keyOf(lane), (current) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const queue = Option.match(current, { onNone: () => [], onSome: ({ value }) => value.queue })
          const [result, next] = yield* change(queue, now)
          return [result, next === undefined ? Option.none() : Option.some({ queue: next })] as const
        }),
      )

    return {
      enter: (lane, member, at) =>
        modify(lane, (given, now) =>
          Effect.gen(function* () {
            const [head] = given
            const isGone =
              head !== undefined && head.member !== member && head.until <= now && !(yield* isHeld(head.member))
            const queue = isGone ? given.slice(1) : given
            const place = queue.findIndex((one) => one.member === member)
            const mine = queue[place]
            if (mine === undefined) {
              if (queue.length >= longest) return [{ position: longest }, isGone ? queue : undefined] as const
              const behind = queue.findIndex((one, index) => index > 0 && one.at > at)
              const position = queue.length === 0 ? 0 : behind === -1 ? queue.length : behind
              return [{ position }, queue.toSpliced(position, 0, { member, at, until: now + patience })] as const
            }
            const isFresh = mine.until - now > patience / 2
            if (isFresh) return [{ position: place }, isGone ? queue : undefined] as const
            return [{ position: place }, queue.with(place, { ...mine, until: now + patience })] as const
          }),
        ),
      keep: (lane, member, after) =>
        modify(lane, (queue, now) => {
          const place = queue.findIndex((one) => one.member === member)
          const mine = queue[place]
          const until = now + Duration.toMillis(after) + patience
          return Effect.succeed([
            undefined,
            mine === undefined || until <= mine.until ? undefined : queue.with(place, { ...mine, until }),
          ] as const)
        }),
      leave: (lane, member) =>
        modify(lane, (queue) => {
          const left = queue.filter((one) => one.member !== member)
          return Effect.succeed([undefined, left.length === queue.length ? undefined : left] as const)
        }),
    }
  })

/** A handler's key is any text; a key of the state has at most 512 bytes. */
const keyOf = (lane: string): string => (lane.length <= 128 ? `lane:${lane}` : `lane:${sha256(lane)}`)
