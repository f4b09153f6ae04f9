/**
 * The backstop behind the backstop: a message that NATS gave up (its deliveries are used up, and every worker that had it
 * ended before it could write the dead letter) is announced once, to whoever listens at that moment. A stream keeps these
 * announcements; every consumer looks through its own and makes the dead letters that are missing.
 *
 * The letter has the id that the worker itself would have given it, so that both together make one. Announcements come
 * only when somebody pulls. Where the user has no right to look, the consumer goes on without this.
 */
import type { PermanentError } from "@armoricore/domain/Errors"
import { Effect, Schedule, Schema } from "effect"
import { DiscardPolicy, type JetStreamManager, type NatsConnection as Client, RetentionPolicy, nanos } from "nats"
import type { ConsumerOptions, EventBus } from "../EventBus.ts"
import * as Consumption from "../Consumption.ts"
import * as NatsDirect from "./NatsDirect.ts"
import { attempt, type NatsFailure } from "./NatsErrors.ts"

export const stream = "ARMORICORE_ADVISORY"

const prefix = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES."

/** Of the streams whose consumers are swept. */
export const streamOf = (streams: ReadonlyArray<string>) => ({
  name: stream,
  subjects: streams.map((name) => `${prefix}${name}.>`),
  retention: RetentionPolicy.Limits,
  max_age: nanos(7 * 86_400_000),
  max_bytes: 16 * 1024 ** 2,
  discard: DiscardPolicy.Old,
})

const Advisory = Schema.fromJsonString(Schema.Struct({ stream_seq: Schema.Int }))
const decode = Schema.decodeUnknownEffect(Advisory)

interface Parameters_ {
  readonly client: Client
  readonly manager: JetStreamManager
  /** The stream that the consumer reads. */
  readonly source: string
  readonly options: ConsumerOptions
  readonly publish: EventBus["Service"]["publish"]
}

/** Looks now and then until the scope closes. */
export const sweep = Effect.fnUntraced(function* (parameters: Parameters_) {
  const { options, source } = parameters
  const { exhausted } = options
  if (exhausted === undefined) return
  const wanted = `${prefix}${source}.${options.name}`
  let done = 0

  const look: Effect.Effect<void, NatsFailure | PermanentError> = Effect.gen(function* () {
    for (;;) {
      const found = yield* NatsDirect.get(parameters.client, stream, { seq: done + 1, next_by_subj: wanted })
      if (found === undefined) return
      yield* settle(parameters, exhausted, found)
      done = found.sequence
    }
  })
  yield* Effect.forkScoped(
    look.pipe(
      Effect.catch((error) => Effect.logDebug(`no look at what NATS gave up: ${error.message}`)),
      Effect.repeat(Schedule.spaced(every)),
    ),
  )
})

const every = "10 seconds"

const settle = Effect.fnUntraced(function* (
  { client, manager, options, publish, source }: Parameters_,
  exhausted: NonNullable<ConsumerOptions["exhausted"]>,
  advisory: NatsDirect.Found,
) {
  const about = yield* Effect.result(decode(new TextDecoder().decode(advisory.stored.body)))
  const lost =
    about._tag === "Failure" ? undefined : yield* NatsDirect.get(client, source, { seq: about.success.stream_seq })
  if (lost !== undefined) {
    const letter = yield* exhausted(lost.stored)
    yield* publish({ ...letter, id: Consumption.letterId(options, lost.sequence) })
    // A work queue would keep it for ever; other streams keep it for their other readers.
    if (options.from !== "all-events" && options.from.channel === "work") {
      yield* Effect.ignore(attempt(`stream ${source}`, () => manager.streams.deleteMessage(source, lost.sequence)))
    }
  }
  // Without the right to delete, the next process finds it again and its letter is the same.
  yield* Effect.ignore(attempt(`stream ${stream}`, () => manager.streams.deleteMessage(stream, advisory.sequence)))
})
