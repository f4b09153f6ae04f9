/**
 * Hears events and live messages through a queue of its own that goes with its channel. It is made again whenever the
 * connection comes back; what passed meanwhile is a gap.
 */
import { Deferred, Effect, Exit, Latch, Scope } from "effect"
import type { EventAddress, LiveAddress } from "../Address.ts"
import type { LiveMessage } from "../EventBus.ts"
import * as Listeners from "../Listeners.ts"
import { pattern } from "../Subjects.ts"
import type { RabbitConnection } from "./RabbitConnection.ts"
import { failure, type RabbitFailure } from "./RabbitErrors.ts"
import * as RabbitMessage from "./RabbitMessage.ts"
import { exchanges } from "./RabbitNames.ts"

/** A listener that is slower than this loses the oldest. */
const longestBacklog = 100_000

/** Returns when it listens; ends with the scope. */
export const listen = Effect.fnUntraced(function* (
  connection: RabbitConnection,
  ready: Effect.Effect<unknown, RabbitFailure>,
  address: EventAddress | LiveAddress | "all-events",
  onMessage: (message: LiveMessage) => void,
  onGap?: () => void,
) {
  const own = yield* Listeners.make
  own.add(pattern(address), onMessage, onGap)
  const listening = yield* Deferred.make<void, RabbitFailure>()
  const ended = yield* Latch.make(false)
  const exchange = address !== "all-events" && address.channel === "live" ? exchanges.live : exchanges.event
  // A closing `>` stands for one or more tokens, `#` for none or more: what matches exactly is looked at again here.
  const key =
    address === "all-events" ? "#" : address.channel === "live" ? address.topic.replace(/>$/, "#") : address.type

  const once = Effect.gen(function* () {
    yield* connection.connected
    yield* ready
    ended.closeUnsafe()
    const channel = yield* connection.channel(() => ended.openUnsafe())
    channel.on("basic.cancel", () => ended.openUnsafe())
    yield* Effect.tryPromise({
      try: async () => {
        const { queue } = await channel.queueDeclare({
          queue: "",
          exclusive: true,
          autoDelete: true,
          durable: false,
          arguments: { "x-max-length": longestBacklog },
        })
        await channel.queueBind({ queue, exchange, routingKey: key })
        await channel.basicConsume({ queue, noAck: true, exclusive: true }, (message) =>
          own.tell(RabbitMessage.live(message)),
        )
      },
      catch: failure("listener"),
    })
  })

  // Owned by the caller's scope.
  yield* Effect.forkScoped(
    Effect.gen(function* () {
      for (;;) {
        const scope = yield* Scope.make()
        const opened = yield* once.pipe(Effect.provideService(Scope.Scope, scope), Effect.result)
        if (opened._tag === "Failure") {
          yield* Scope.close(scope, Exit.void)
          if (opened.failure._tag === "ConfigurationError") {
            yield* Deferred.fail(listening, opened.failure)
            yield* Effect.logError(opened.failure.message)
          }
          yield* Effect.sleep("1 second")
          continue
        }
        if (yield* Deferred.isDone(listening)) own.gap()
        yield* Deferred.succeed(listening, undefined)
        yield* Effect.ensuring(ended.await, Scope.close(scope, Exit.void))
      }
    }),
  )
  yield* Deferred.await(listening)
})
