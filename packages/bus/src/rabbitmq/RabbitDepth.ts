/**
 * How much a consumer has before it. RabbitMQ tells how many messages are ready; what is out with handlers or waits for a
 * retry is known of this process alone, and ages are known of what came through it.
 */
import { Clock, Effect } from "effect"
import type { ConsumerDepth } from "../EventBus.ts"
import type { RabbitConnection } from "./RabbitConnection.ts"
import type { RabbitFailure } from "./RabbitErrors.ts"
import type { Received } from "./RabbitMessage.ts"

export interface Held {
  readonly taken: (message: Received, arrivedAt: number) => void
  readonly settled: (message: Received) => void
  readonly waits: (arrivedAt: number, until: number) => void
  /** Arrival times of what is running or waiting here. */
  readonly arrivals: (now: number) => ReadonlyArray<number>
}

export const makeHeld = (): Held => {
  const running = new Map<Received, number>()
  let waiting: Array<{ readonly arrivedAt: number; readonly until: number }> = []
  return {
    taken: (message, arrivedAt) => void running.set(message, arrivedAt),
    settled: (message) => void running.delete(message),
    waits: (arrivedAt, until) => void waiting.push({ arrivedAt, until }),
    arrivals: (now) => {
      waiting = waiting.filter(({ until }) => until > now)
      return [...running.values(), ...waiting.map(({ arrivedAt }) => arrivedAt)]
    },
  }
}

/** Deliveries on their way are neither ready nor here: nothing at all is believed only when seen twice. */
const secondLook = "20 millis"

export const depth = (
  connection: RabbitConnection,
  queue: string,
  held: Held,
  buffered: () => number,
): Effect.Effect<ConsumerDepth, RabbitFailure> => {
  let waitingSince: number | undefined
  const look = Effect.gen(function* () {
    const { messageCount } = yield* connection.once(`queue ${queue}`, (channel) =>
      channel.queueDeclare({ queue, passive: true }),
    )
    const now = yield* Clock.currentTimeMillis
    const arrivals = held.arrivals(now)
    const waiting = messageCount + buffered()
    waitingSince = waiting === 0 ? undefined : (waitingSince ?? now)
    const oldest = arrivals.length > 0 ? Math.min(...arrivals) : (waitingSince ?? now)
    return { waiting, inFlight: arrivals.length, oldestMillis: Math.max(0, now - oldest) }
  })
  return Effect.flatMap(look, (first) =>
    first.waiting + first.inFlight === 0 ? Effect.andThen(Effect.sleep(secondLook), look) : Effect.succeed(first),
  )
}
