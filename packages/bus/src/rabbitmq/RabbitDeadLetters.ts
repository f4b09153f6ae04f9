/**
 * Dead letters in one quorum queue. RabbitMQ cannot read a queue without taking messages from it, so browsing takes
 * messages unacknowledged and requeues them in order; a crash of the browser has the same effect. One browser at a time
 * (`RabbitLock`).
 *
 * The id of a dead letter begins with its time, so that pages have a stable order: the queue's own order is nearly the
 * same, but two concurrent publishers may store theirs the other way round. Without deduplication, the dead letters of
 * one message (a crash between dead letter and ack) are listed once and removed together.
 */
import { randomBytes } from "node:crypto"
import { NotFound } from "@armoricore/domain/Errors"
import { Clock, Effect } from "effect"
import type { Channel } from "rabbitmq-client"
import { deadLetterType, prefixes } from "../Address.ts"
import type { EventBus, StoredDeadLetter } from "../EventBus.ts"
import { matcher } from "../Subjects.ts"
import type { RabbitConnection } from "./RabbitConnection.ts"
import { errorFrom, type RabbitRequestError } from "./RabbitErrors.ts"
import * as RabbitLock from "./RabbitLock.ts"
import * as RabbitMessage from "./RabbitMessage.ts"
import { queues } from "./RabbitNames.ts"

const resource = `queue ${queues.dead}`

/** Ids sort by their time in milliseconds, then by the counter of their publisher. */
export const makeIdGenerator = (): ((now: number) => string) => {
  let count = 0
  return (now) => {
    count = (count + 1) % 1_000_000
    return `${zeroPadded(now, 14)}-${zeroPadded(count, 6)}-${randomBytes(6).toString("hex")}`
  }
}

const zeroPadded = (value: number, length: number): string => String(value).padStart(length, "0")

/** Epoch milliseconds; NaN for a foreign message in the queue. */
const timeOfId = (deadLetterId: string): number => Number(deadLetterId.slice(0, 14))

/** The maximum clock difference between publishers that paging tolerates. */
const maxClockSkewMillis = 60_000

interface BrowsedDeadLetter {
  readonly deadLetter: StoredDeadLetter
  readonly deliveryTag: number
}

export const make = (
  connection: RabbitConnection,
  ready: Effect.Effect<unknown, RabbitRequestError>,
): EventBus["Service"]["deadLetters"] => {
  const withBrowseLock = RabbitLock.make(connection, queues.browseLock, "20 seconds")

  /** Takes dead letters until `use` returns true; the unacknowledged ones are requeued. */
  const browse = <A>(use: (next: () => Promise<BrowsedDeadLetter | undefined>, channel: Channel) => Promise<A>) =>
    Effect.andThen(
      ready,
      Effect.gen(function* () {
        const channel = yield* connection.channel()
        const now = yield* Clock.currentTimeMillis
        const next = async (): Promise<BrowsedDeadLetter | undefined> => {
          const message = await channel.basicGet({ queue: queues.dead })
          if (message === undefined) return undefined
          const deadLetter = {
            ...RabbitMessage.stored(message, now),
            deadLetterId: RabbitMessage.deadLetterIdOf(message),
          }
          return { deadLetter, deliveryTag: message.deliveryTag }
        }
        const requeueAll = Effect.tryPromise(async () => {
          channel.basicNack({ deliveryTag: 0, multiple: true, requeue: true })
          // Requeued before the request below is answered: the next browser finds them.
          await channel.queueDeclare({ queue: queues.dead, passive: true })
        })
        return yield* Effect.tryPromise({ try: () => use(next, channel), catch: errorFrom(resource) }).pipe(
          Effect.ensuring(Effect.ignore(Effect.timeoutOption(requeueAll, "5 seconds"))),
        )
      }).pipe(withBrowseLock),
    )

  const find = (deadLetterId: string, remove: boolean) =>
    browse(async (next, channel) => {
      const same: Array<BrowsedDeadLetter> = []
      const all: Array<BrowsedDeadLetter> = []
      for (let seen = await next(); seen !== undefined; seen = await next()) {
        all.push(seen)
        if (seen.deadLetter.deadLetterId === deadLetterId && !remove) return seen.deadLetter
      }
      const wanted = all.find(({ deadLetter }) => deadLetter.deadLetterId === deadLetterId)
      if (wanted === undefined) return undefined
      same.push(...all.filter((seen) => seen === wanted || isSameDeadLetter(seen.deadLetter, wanted.deadLetter)))
      for (const { deliveryTag } of same) channel.basicAck({ deliveryTag })
      return wanted.deadLetter
    }).pipe(
      Effect.flatMap((letter) =>
        letter === undefined
          ? Effect.fail(new NotFound({ resource: "dead letter", id: deadLetterId }))
          : Effect.succeed(letter),
      ),
    )

  return {
    list: (filter) =>
      browse(async (next) => {
        const wants = matcher(
          `${prefixes.dead}${filter.service ?? "*"}.${filter.type === undefined ? ">" : deadLetterType(filter.type)}`,
        )
        const found: Array<StoredDeadLetter> = []
        const known = new Set<string>()
        for (let seen = await next(); seen !== undefined; seen = await next()) {
          const { deadLetter } = seen
          const last = found[filter.limit - 1]
          if (
            last !== undefined &&
            timeOfId(deadLetter.deadLetterId) > timeOfId(last.deadLetterId) + maxClockSkewMillis
          )
            break
          const key = `${deadLetter.subject} ${deadLetter.id}`
          if (known.has(key)) continue
          known.add(key)
          if (!wants(deadLetter.subject) || (filter.after !== undefined && deadLetter.deadLetterId <= filter.after))
            continue
          const behind = found.findIndex(({ deadLetterId }) => deadLetterId > deadLetter.deadLetterId)
          found.splice(behind === -1 ? found.length : behind, 0, deadLetter)
          found.length = Math.min(found.length, filter.limit)
        }
        return found
      }),
    get: (deadLetterId) => find(deadLetterId, false),
    remove: (deadLetterId) => Effect.asVoid(find(deadLetterId, true)),
  }
}

const isSameDeadLetter = (one: StoredDeadLetter, other: StoredDeadLetter): boolean =>
  one.id !== "" && one.id === other.id && one.subject === other.subject
