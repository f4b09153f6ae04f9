/**
 * Pulls messages of one durable consumer, never more than there are free slots.
 *
 * Hazards and their answers:
 * - what was asked for and has not come yet counts as taken: `outstanding` plus what lies in the buffer never exceeds the
 *   free slots;
 * - a deleted consumer or a lost connection ends pull requests in silence: the server beats every 4 s while one is open,
 *   and after 10 s without a sign, after a reconnect or after an error status everything is asked for anew;
 * - closing must not strand messages that are already on their way: unsubscribing drains, what still arrives is handed back;
 * - with a shared gate nothing may be asked for without a permit: one message a time, answered at once, with growing pauses
 *   while there is none.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Effect, Latch, Stream } from "effect"
import {
  type JetStreamManager,
  type Msg,
  type NatsConnection as Client,
  type Subscription,
  createInbox,
  nanos,
} from "nats"
import * as Consumption from "../Consumption.ts"
import type { BusStatus, ConsumerOptions } from "../EventBus.ts"
import { attempt, failure, type NatsFailure } from "./NatsErrors.ts"
import { pattern } from "../Subjects.ts"
import * as NatsMessage from "./NatsMessage.ts"
import { depth } from "./NatsDepth.ts"
import type { Manage } from "./NatsResource.ts"
import { ensureConsumer, streamOf } from "./NatsStreams.ts"

const expires = 30_000
const heartbeat = 4_000
const silence = 10_000
const acknowledged = new TextEncoder().encode("+ACK")
const shortestPause = 10
const longestPause = 500

export interface SourceParameters {
  readonly client: Client
  readonly manager: JetStreamManager
  readonly inboxPrefix: string | undefined
  readonly statusChanges: Stream.Stream<BusStatus>
  readonly options: ConsumerOptions
  readonly manage: Manage
}

export const make = Effect.fnUntraced(function* (parameters: SourceParameters) {
  const { client, manager, inboxPrefix, options } = parameters
  const stream = streamOf(options.from)
  const next = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${options.name}`
  const gated = options.gate !== undefined
  const subject = options.from === "all-events" ? undefined : pattern(options.from)
  const buffer: Array<Msg> = []
  const arrived = yield* Latch.make(false)
  let inbox = ""
  let subscription: Subscription | undefined
  let outstanding = 0
  let broken: string | undefined
  let stopped = false
  let pause = 0

  const settle: Settle = (message, text) =>
    Effect.try({
      try: () => client.publish(message.reply ?? "", text),
      catch: failure(`consumer ${options.name}`),
    })
  const onStatus = (code: number, message: Msg) => {
    if (code === 100) return
    if (code === 404 || code === 408) {
      const left = message.headers?.get("Nats-Pending-Messages") ?? ""
      outstanding = Math.max(0, outstanding - (left === "" ? outstanding : Number(left)))
    } else {
      broken = `${code} ${message.headers?.description ?? ""}`
    }
  }

  const subscribe = () => {
    const own = inboxPrefix === undefined ? createInbox() : createInbox(inboxPrefix)
    inbox = own
    outstanding = 0
    broken = undefined
    return client.subscribe(own, {
      callback: (error, message) => {
        if (error !== null) broken = String(error)
        else if (NatsMessage.statusOf(message) > 0) {
          if (inbox === own) onStatus(NatsMessage.statusOf(message), message)
          else return
        } else {
          if (inbox === own) outstanding = Math.max(0, outstanding - 1)
          // Came for a pull that is not counted any more: somebody with a free slot shall have it.
          if (stopped || inbox !== own) return void (message.reply && client.publish(message.reply, nak(0)))
          buffer.push(message)
        }
        arrived.openUnsafe()
      },
    })
  }

  /** Unsubscribing alone would lose what the server has sent already. */
  const leave = (former: Subscription | undefined) =>
    former === undefined || client.isClosed()
      ? Effect.void
      : Effect.ignore(
          Effect.timeoutOption(
            Effect.tryPromise(() => former.drain()),
            "2 seconds",
          ),
        )

  const renew = Effect.fnUntraced(function* (reason: string) {
    const former = subscription
    subscription = subscribe()
    yield* Effect.forkChild(leave(former))
    yield* Effect.logDebug(`Consumer ${options.name} asks anew: ${reason}`)
    yield* ensureConsumer(manager, options, parameters.manage)
  })

  const ask = (batch: number, more: object) => {
    outstanding += batch
    client.publish(next, JSON.stringify({ batch, ...more }), { reply: inbox })
  }

  subscription = subscribe()
  // Pull requests do not outlive a connection. Ends with the consumer's scope.
  yield* Effect.forkScoped(
    Stream.runForEach(Stream.drop(parameters.statusChanges, 1), (status) =>
      Effect.sync(() => {
        if (status === "connected") broken = "reconnected"
        arrived.openUnsafe()
      }),
    ),
  )

  const mend = Effect.suspend(() => {
    if (broken === undefined) return Effect.void
    const reason = broken
    return Effect.andThen(Effect.sleep(reason === "reconnected" ? 0 : 250), renew(reason))
  })

  const longPull = (free: number): Effect.Effect<void, NatsFailure> =>
    Effect.gen(function* () {
      while (buffer.length === 0) {
        yield* mend
        arrived.closeUnsafe()
        // A request per free slot would cost more than the message; while half of them are asked for, one waits.
        if (outstanding < free && outstanding <= options.concurrency / 2) {
          ask(free - outstanding, { expires: nanos(expires), idle_heartbeat: nanos(heartbeat) })
        }
        const sign = yield* Effect.timeoutOption(arrived.await, silence)
        if (sign._tag === "None") broken = "no sign of life"
      }
    })

  /** One message or the answer that there is none. */
  const shortPull: Effect.Effect<void, NatsFailure> = Effect.gen(function* () {
    yield* mend
    arrived.closeUnsafe()
    ask(1, { no_wait: true })
    const answer = yield* Effect.timeoutOption(arrived.await, "5 seconds")
    if (answer._tag === "Some") return
    broken = "no answer"
    yield* new TransientError({
      dependency: "bus",
      code: "timeout",
      message: `NATS does not answer consumer ${options.name}`,
    })
  })

  const taken = (message: Msg, into: Array<Consumption.Taken>): void => {
    const where = NatsMessage.position(message.reply ?? "")
    if (where === undefined) return
    into.push(new Taken(NatsMessage.delivered(message, subject, where), where.sequence, message, settle))
  }

  const source: Consumption.Source = {
    ready: (free) => (gated ? Effect.suspend(() => Effect.sleep(pause)) : longPull(free)),
    take: Effect.fnUntraced(function* (max) {
      if (gated) yield* shortPull
      const messages = buffer.splice(0, max)
      pause = messages.length > 0 ? 0 : Math.min(longestPause, Math.max(shortestPause, pause * 2))
      const all: Array<Consumption.Taken> = []
      for (const message of messages) taken(message, all)
      return all
    }),
    stop: Effect.suspend(() => {
      if (stopped) return Effect.void
      stopped = true
      return Effect.forEach(buffer.splice(0), (message) => Effect.ignore(settle(message, nak(0))), {
        discard: true,
      }).pipe(Effect.andThen(leave(subscription)), Effect.andThen(flush))
    }),
    depth: depth(client, manager, stream, options),
  }
  /** Hand-backs are with the server before the caller goes on. */
  const flush = Effect.suspend(() =>
    client.isClosed()
      ? Effect.void
      : Effect.ignore(
          Effect.timeoutOption(
            attempt("flush", () => client.flush()),
            "2 seconds",
          ),
        ),
  )
  // Registered first, so run last: the handlers' hand-backs are flushed too.
  yield* Effect.addFinalizer(() => flush)
  return source
})

const nak = (millis: number): string => (millis <= 0 ? "-NAK" : `-NAK ${JSON.stringify({ delay: nanos(millis) })}`)

type Settle = (message: Msg, text: string | Uint8Array) => Effect.Effect<void, NatsFailure>

/** Getters, for nearly every message is settled in one of three ways; a class, for there is one of it for each message. */
class Taken implements Consumption.Taken {
  readonly delivery: Consumption.Taken["delivery"]
  readonly sequence: number
  private readonly message: Msg
  private readonly settle: Settle

  constructor(delivery: Consumption.Taken["delivery"], sequence: number, message: Msg, settle: Settle) {
    this.delivery = delivery
    this.sequence = sequence
    this.message = message
    this.settle = settle
  }

  get ack() {
    return this.settle(this.message, acknowledged)
  }

  retry(millis: number) {
    return this.settle(this.message, nak(millis))
  }

  get working() {
    return this.settle(this.message, "+WPI")
  }
}
