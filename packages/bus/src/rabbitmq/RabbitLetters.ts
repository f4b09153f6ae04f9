/**
 * Dead letters lie in one quorum queue. RabbitMQ cannot show a queue without taking from it, so browsing takes messages
 * unacknowledged and hands them back in their order; a crash of the browser does the same. One
 * browser at a time (`RabbitLock`).
 *
 * A letter's id begins with its time, so that pages have an order: the queue's own is nearly the same, but two publishers
 * that store at once may lie there the other way round. RabbitMQ recognises no duplicates: letters of one message (a
 * crash between letter and acknowledgement) are shown once and removed together.
 */
import { randomBytes } from "node:crypto"
import { NotFound } from "@armoricore/domain/Errors"
import { Clock, Effect } from "effect"
import type { Channel } from "rabbitmq-client"
import { letterType, prefixes } from "../Address.ts"
import type { EventBus, StoredLetter } from "../EventBus.ts"
import { matcher } from "../Subjects.ts"
import type { RabbitConnection } from "./RabbitConnection.ts"
import { failure, type RabbitFailure } from "./RabbitErrors.ts"
import * as RabbitLock from "./RabbitLock.ts"
import * as RabbitMessage from "./RabbitMessage.ts"
import { queues } from "./RabbitNames.ts"

const resource = `queue ${queues.dead}`

/** Ids that sort by their time, in milliseconds, and those of one publisher by their order. */
export const makeIds = (): ((now: number) => string) => {
  let count = 0
  return (now) => {
    count = (count + 1) % 1_000_000
    return `${digits(now, 14)}-${digits(count, 6)}-${randomBytes(6).toString("hex")}`
  }
}

const digits = (value: number, length: number): string => String(value).padStart(length, "0")

/** In milliseconds; NaN for what somebody else put into the queue. */
const timeOf = (letterId: string): number => Number(letterId.slice(0, 14))

/** How far publishers' clocks may differ before a page leaves out a letter. */
const disorderMillis = 60_000

interface Seen {
  readonly letter: StoredLetter
  readonly deliveryTag: number
}

export const make = (
  connection: RabbitConnection,
  ready: Effect.Effect<unknown, RabbitFailure>,
): EventBus["Service"]["deadLetters"] => {
  const alone = RabbitLock.make(connection, queues.browser, "20 seconds")

  /** Takes letters until `use` has seen enough; what it did not acknowledge lies there again afterwards. */
  const browse = <A>(use: (next: () => Promise<Seen | undefined>, channel: Channel) => Promise<A>) =>
    Effect.andThen(
      ready,
      Effect.gen(function* () {
        const channel = yield* connection.channel()
        const now = yield* Clock.currentTimeMillis
        const next = async (): Promise<Seen | undefined> => {
          const message = await channel.basicGet({ queue: queues.dead })
          if (message === undefined) return undefined
          const letter = { ...RabbitMessage.stored(message, now), letterId: RabbitMessage.letterId(message) }
          return { letter, deliveryTag: message.deliveryTag }
        }
        const handBack = Effect.tryPromise(async () => {
          channel.basicNack({ deliveryTag: 0, multiple: true, requeue: true })
          // Answered behind it: the next browser finds them there.
          await channel.queueDeclare({ queue: queues.dead, passive: true })
        })
        return yield* Effect.tryPromise({ try: () => use(next, channel), catch: failure(resource) }).pipe(
          Effect.ensuring(Effect.ignore(Effect.timeoutOption(handBack, "5 seconds"))),
        )
      }).pipe(alone),
    )

  const find = (letterId: string, remove: boolean) =>
    browse(async (next, channel) => {
      const same: Array<Seen> = []
      const all: Array<Seen> = []
      for (let seen = await next(); seen !== undefined; seen = await next()) {
        all.push(seen)
        if (seen.letter.letterId === letterId && !remove) return seen.letter
      }
      const wanted = all.find(({ letter }) => letter.letterId === letterId)
      if (wanted === undefined) return undefined
      same.push(...all.filter((seen) => seen === wanted || isSame(seen.letter, wanted.letter)))
      for (const { deliveryTag } of same) channel.basicAck({ deliveryTag })
      return wanted.letter
    }).pipe(
      Effect.flatMap((letter) =>
        letter === undefined
          ? Effect.fail(new NotFound({ what: "dead letter", id: letterId }))
          : Effect.succeed(letter),
      ),
    )

  return {
    list: (filter) =>
      browse(async (next) => {
        const wants = matcher(
          `${prefixes.dead}${filter.service ?? "*"}.${filter.type === undefined ? ">" : letterType(filter.type)}`,
        )
        const found: Array<StoredLetter> = []
        const known = new Set<string>()
        for (let seen = await next(); seen !== undefined; seen = await next()) {
          const { letter } = seen
          const last = found[filter.limit - 1]
          if (last !== undefined && timeOf(letter.letterId) > timeOf(last.letterId) + disorderMillis) break
          const key = `${letter.subject} ${letter.id}`
          if (known.has(key)) continue
          known.add(key)
          if (!wants(letter.subject) || (filter.after !== undefined && letter.letterId <= filter.after)) continue
          const behind = found.findIndex(({ letterId }) => letterId > letter.letterId)
          found.splice(behind === -1 ? found.length : behind, 0, letter)
          found.length = Math.min(found.length, filter.limit)
        }
        return found
      }),
    get: (letterId) => find(letterId, false),
    remove: (letterId) => Effect.asVoid(find(letterId, true)),
  }
}

const isSame = (one: StoredLetter, other: StoredLetter): boolean =>
  one.id !== "" && one.id === other.id && one.subject === other.subject
