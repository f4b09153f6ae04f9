/**
 * The event bus port: what every service knows of the message bus.
 *
 * Four kinds of channel, each an {@link Address}:
 * - `event`: facts, kept for days, read by any number of durable consumers (subject `armoricore.<event_type>`);
 * - `work`: internal jobs, each handled by one worker and then gone (`armoricore-work.<service>.<kind>`);
 * - `dead`: dead letters, kept until an operator replays or discards them (`armoricore-dead.<service>.<event_type>`);
 * - `live`: not stored, heard by whoever listens at that moment (`armoricore-live.<topic>`).
 *
 * Published means acknowledged by the bus; handled means the handler answered `Ack`. Delivery is at least once.
 * Every adapter passes `test/behaviour.ts`.
 */
import type { ConfigurationError, NotFound, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Context } from "effect"
import type { Duration, Effect, Scope, Semaphore, Stream } from "effect"
import type { EventAddress, EphemeralAddress, StoredAddress, WorkAddress } from "./Address.ts"

export type Headers = Readonly<Record<string, string>>

/** A message to be stored. */
export interface OutgoingMessage {
  readonly address: StoredAddress
  /** The duplicate key: a second message with this id on the same channel, within the window, is not stored again. */
  readonly id: string
  readonly body: Uint8Array
  readonly headers?: Headers
}

/** The bus's acknowledgement: the message is durable (as durable as the adapter is). */
export interface PublishAck {
  /** True when this id was seen within the window: nothing was stored. A bus that cannot tell answers false; the ledger then does. */
  readonly duplicate: boolean
}

/** A stored message as it is read back. */
export interface StoredMessage {
  readonly subject: string
  readonly id: string
  readonly headers: Headers
  readonly body: Uint8Array
  /** When the bus accepted it, epoch milliseconds; where a bus does not know, when it was first seen. */
  readonly arrivedAt: number
}

/** A dead letter as it lies there. `letterId` is opaque: pass it back to `get` and `remove`. */
export interface StoredDeadLetter extends StoredMessage {
  readonly deadLetterId: string
}

/** A stored message handed to a consumer. */
export interface Delivery extends StoredMessage {
  /**
   * 1 for the first delivery to this consumer. Counts every delivery, also those after a drain, a crash or a wait: it
   * is no measure of failures, the ledger keeps that.
   */
  readonly deliveryCount: number
  /** Tells the bus that work goes on. Adapters do so by themselves every third of `ackWait` while a handler runs. */
  readonly inProgress: Effect.Effect<void>
}

/** What becomes of a delivery. */
export type Disposition =
  | { readonly _tag: "Ack" }
  /** Delivered again no earlier than `after`; meanwhile it holds no slot and blocks nobody. */
  | { readonly _tag: "Retry"; readonly after: Duration.Duration }
  /**
   * Stored as `letter` first, then acknowledged: a crash between the two repeats, it never loses. `shared`: every
   * consumer of the message says the same of it, and the first one's letter is the only one on a bus that knows duplicates.
   */
  | { readonly _tag: "DeadLetter"; readonly deadLetter: Omit<OutgoingMessage, "id">; readonly shared?: boolean }

export interface ConsumerOptions {
  /** Durable name, `[a-z0-9-]+`: processes that consume under one name share the work. */
  readonly name: string
  /** `all-events` is for the guard that looks at types nobody handles. */
  readonly from: EventAddress | WorkAddress | "all-events"
  /** Handlers that run at once in this process; never more are pulled than there are free slots. */
  readonly concurrency: number
  /** Slots shared with other consumers of this process: a permit is taken before a message is pulled. */
  readonly sharedPermits?: Semaphore.Semaphore
  /** How long the bus waits for a sign of life before it delivers elsewhere. Default 30 s. */
  readonly ackWait?: Duration.Duration
  /** The bus's own backstop against a message that is never settled. Default 10,000: waits count too. */
  readonly maxDeliveries?: number
  /**
   * Makes the dead letter of a message that was delivered `maxDeliveries` times and is still not settled. Without it
   * such a message is left where it lies.
   */
  readonly onMaxDeliveries?: (message: StoredMessage) => Effect.Effect<Omit<OutgoingMessage, "id">>
}

export interface ConsumerDepth {
  /** Stored and not yet delivered. */
  readonly pending: number
  /** Delivered and not yet settled, in all processes. */
  readonly inFlight: number
  /** Age in milliseconds of the oldest message not yet handled; 0 when there is none. */
  readonly oldestAgeMillis: number
}

export interface Consumer {
  /** Stops pulling and returns once every running handler is settled. */
  readonly drain: Effect.Effect<void>
  readonly depth: Effect.Effect<ConsumerDepth, TransientError | ConfigurationError>
}

export interface ReceivedMessage {
  readonly subject: string
  /** The duplicate key of an event; absent on live messages. */
  readonly id?: string
  readonly headers: Headers
  readonly body: Uint8Array
}

export type BusStatus = "connected" | "disconnected"

export interface DeadLetterFilter {
  readonly service?: string
  readonly type?: string
  /** Only letters behind this one. */
  readonly after?: string
  readonly limit: number
}

export class EventBus extends Context.Service<
  EventBus,
  {
    /** Succeeds once the bus has the message. `PermanentError` code `too_large`; `TransientError` codes `unavailable`, `timeout`, `full`. */
    readonly publish: (
      message: OutgoingMessage,
    ) => Effect.Effect<PublishAck, TransientError | PermanentError | ConfigurationError>
    /**
     * Starts a durable consumer that lives as long as the scope. Closing the scope stops pulling, interrupts the
     * running handlers and hands their messages back at once. A handler that dies is retried after 1 s and logged.
     */
    readonly consume: <R>(
      options: ConsumerOptions,
      handle: (delivery: Delivery) => Effect.Effect<Disposition, never, R>,
    ) => Effect.Effect<Consumer, TransientError | ConfigurationError, R | Scope.Scope>
    /** Sends to whoever listens now; nothing is stored or acknowledged. */
    readonly broadcast: (
      address: EphemeralAddress,
      body: Uint8Array,
      headers?: Headers,
    ) => Effect.Effect<void, TransientError | PermanentError>
    /**
     * Hears events and live messages from now on, without being a consumer of them: nothing is acknowledged, and what
     * passes while the bus is away is missed. It listens when the effect returns, until the scope closes.
     * `onMessage` is called synchronously and in order; it must not block or throw.
     * A live topic may end in `*` (one token) or `>` (all that follow).
     */
    readonly subscribe: (
      address: EventAddress | EphemeralAddress | "all-events",
      onMessage: (message: ReceivedMessage) => void,
      /** Called when something may have been missed: the connection was lost, or this listener was too slow. */
      onGap?: () => void,
    ) => Effect.Effect<void, TransientError | ConfigurationError, Scope.Scope>
    readonly deadLetters: {
      /** Oldest first. */
      readonly list: (
        filter: DeadLetterFilter,
      ) => Effect.Effect<ReadonlyArray<StoredDeadLetter>, TransientError | ConfigurationError>
      readonly get: (
        deadLetterId: string,
      ) => Effect.Effect<StoredDeadLetter, NotFound | TransientError | ConfigurationError>
      readonly remove: (deadLetterId: string) => Effect.Effect<void, NotFound | TransientError | ConfigurationError>
    }
    /**
     * Creates or checks everything the adapter stores in, also the queues of these consumers, so that a publisher can
     * publish before any worker ran. Returns one line per resource for `armoricore setup`.
     */
    readonly setup: (
      consumers: ReadonlyArray<Pick<ConsumerOptions, "name" | "from">>,
    ) => Effect.Effect<ReadonlyArray<string>, TransientError | ConfigurationError>
    readonly status: Effect.Effect<BusStatus>
    /** The current status first, then each change. */
    readonly statusChanges: Stream.Stream<BusStatus>
  }
>()("@armoricore/bus/EventBus") {}
