/**
 * The event bus port: everything that services know of the message bus.
 *
 * Four kinds of channel, each an {@link Address}:
 * - `event`: facts, stored for days, read by any number of durable consumers (subject `armoricore.<event_type>`);
 * - `work`: internal jobs, each handled by one worker and then removed (`armoricore-work.<service>.<kind>`);
 * - `dead`: dead letters, stored until an operator replays or discards them (`armoricore-dead.<service>.<event_type>`);
 * - `live`: ephemeral messages, received by current subscribers only (`armoricore-live.<topic>`).
 *
 * Published means acknowledged by the bus. Handled means that the handler returned `Ack`. Delivery is at least once.
 * Every adapter passes `test/support/BehaviourSuite.ts`.
 */
import type { ConfigurationError, NotFound, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Context, Effect } from "effect"
import type { Duration, Exit, Scope, Semaphore, Stream } from "effect"
import type { EventType } from "@armoricore/domain/EventRegistry"
import type { EventAddress, EphemeralAddress, StoredAddress, WorkAddress } from "./Address.ts"

export type Headers = Readonly<Record<string, string>>

/** A message to publish. */
export interface OutgoingMessage {
  readonly address: StoredAddress
  /**
   * The deduplication key: a second message with this id on the same channel, within the duplicate window, is not
   * stored.
   */
  readonly id: string
  readonly body: Uint8Array
  readonly headers?: Headers
}

/** The bus's acknowledgement: the message is stored as durably as the adapter allows. */
export interface PublishAck {
  /**
   * True when this id was published within the window: nothing was stored. A bus without deduplication returns false;
   * the ledger then recognises duplicates.
   */
  readonly duplicate: boolean
}

export type PublishError = TransientError | PermanentError | ConfigurationError
export type PublishExit = Exit.Exit<PublishAck, PublishError>

/** A stored message. */
export interface StoredMessage {
  readonly subject: string
  readonly id: string
  readonly headers: Headers
  readonly body: Uint8Array
  /**
   * When the bus stored it, epoch milliseconds. On a bus that does not record it: when a consumer first received it.
   */
  readonly arrivedAt: number
}

/** A stored dead letter. `deadLetterId` is opaque: pass it to `get` and `remove`. */
export interface StoredDeadLetter extends StoredMessage {
  readonly deadLetterId: string
}

/** A stored message delivered to a consumer. */
export interface Delivery extends StoredMessage {
  /**
   * 1 for the first delivery to this consumer. Counts every delivery, including redeliveries after a drain, a crash or
   * a nack. It is not the number of failed attempts: the ledger counts those.
   */
  readonly deliveryCount: number
  /**
   * Tells the bus that the handler is still working. Adapters send it every third of `ackWait` while a handler runs.
   */
  readonly inProgress: Effect.Effect<void>
}

/** How the consumer settles a delivery. */
export type Disposition =
  | { readonly _tag: "Ack" }
  /** Redelivered no earlier than `after`. Meanwhile the message holds no slot and blocks no other message. */
  | { readonly _tag: "Retry"; readonly after: Duration.Duration }
  /**
   * The dead letter is stored first, then the message is acknowledged: a crash between the two repeats the step and
   * loses nothing. `shared`: the failure is the same for every consumer of the message, so on a bus with deduplication
   * only the first dead letter is stored.
   */
  | ({ readonly _tag: "DeadLetter"; readonly shared?: boolean } & NewDeadLetter)

/** A dead letter before the bus stores it; the consumer chooses its id. */
export interface NewDeadLetter {
  readonly deadLetter: Omit<OutgoingMessage, "id">
  /**
   * Runs once the bus has stored the dead letter, for counting and logging. It does not run for a duplicate: another
   * consumer or process stored the same one before.
   */
  readonly onStored?: Effect.Effect<void>
}

/** Settles a message that a {@link Lane} took. Exactly one of the two is called, once. */
export interface LaneMessage {
  readonly settle: (disposition: Disposition) => void
  /** The lane did nothing: the message goes to its handler. */
  readonly decline: () => void
}

/**
 * Handles the messages of one pull together, without a fiber for each: where a message costs less than a fiber, they are most
 * of its cost. A message that the lane does not take goes to the handler.
 */
export interface Lane {
  /** Called with each message of a pull. Must not block or throw. True: the lane has taken it. */
  readonly take: (delivery: Omit<Delivery, "inProgress">, message: LaneMessage) => boolean
  /** The pull has no more messages. */
  readonly flush: () => void
  /** Interrupts the work on all messages that the lane has. Succeeds once each of them is settled. */
  readonly stop: Effect.Effect<void>
}

export interface ConsumerOptions {
  /** Durable name, `[a-z0-9-]+`. Processes that consume under one name share the messages. */
  readonly name: string
  /** `all-events` is for the validator of event types that no handler consumes. */
  readonly from: EventAddress | WorkAddress | "all-events"
  /**
   * Only with `all-events`: types that the consumer acknowledges without a look. An adapter that is able to leaves them
   * out; others deliver them.
   */
  readonly skips?: ReadonlyArray<EventType>
  /**
   * Handlers that run concurrently in this process. The consumer never leases more messages than there are free slots.
   */
  readonly concurrency: number
  /** Permits shared with other consumers of this process. One is acquired before a message is leased. */
  readonly sharedPermits?: Semaphore.Semaphore
  /** How long the bus waits for an ack or an in-progress signal before it redelivers. Default 30 s. */
  readonly ackWait?: Duration.Duration
  /**
   * The bus's own limit for a message that is never settled. Default 10,000, since nacked waits count as deliveries
   * too.
   */
  readonly maxDeliveries?: number
  /**
   * Builds the dead letter of a message that was delivered `maxDeliveries` times without being settled. Without it the
   * message stays in its stream.
   */
  readonly onMaxDeliveries?: (message: StoredMessage) => Effect.Effect<NewDeadLetter>
  /** Is offered each message first. */
  readonly lane?: Lane
}

export interface ConsumerDepth {
  /** Stored and not yet delivered. */
  readonly pending: number
  /** Delivered and not yet settled, in all processes. */
  readonly inFlight: number
  /** Age of the oldest message that is not handled, milliseconds; 0 when there is no such message. */
  readonly oldestAgeMillis: number
}

export interface Consumer {
  /** Stops pulling and returns once every running handler has settled its message. */
  readonly drain: Effect.Effect<void>
  readonly depth: Effect.Effect<ConsumerDepth, TransientError | ConfigurationError>
  /** Handlers that run in this process now; messages that wait for a later delivery are not among them. */
  readonly running: () => number
}

export interface ReceivedMessage {
  readonly subject: string
  /** The deduplication key of an event; absent on live messages. */
  readonly id?: string
  readonly headers: Headers
  readonly body: Uint8Array
}

export type BusStatus = "connected" | "disconnected"

export interface DeadLetterFilter {
  readonly service?: string
  readonly type?: string
  /** Only dead letters after this id. */
  readonly after?: string
  readonly limit: number
}

export class EventBus extends Context.Service<
  EventBus,
  {
    /** `messaging.system` of OpenTelemetry, in spans: `nats`, `rabbitmq`, or `armoricore.<adapter>`. */
    readonly system: string
    /**
     * Succeeds once the bus stored the message. `PermanentError` code `too_large`; `TransientError` codes
     * `unavailable`, `timeout`, `full`.
     */
    readonly publish: (message: OutgoingMessage) => Effect.Effect<PublishAck, PublishError>
    /**
     * Several messages at once, stored in this order; one exit for each. Optional: `publishAll` publishes one by one
     * without it. A wrapper of `publish` leaves it out, see `withoutBatches`.
     */
    readonly publishMany?: (messages: ReadonlyArray<OutgoingMessage>) => Effect.Effect<ReadonlyArray<PublishExit>>
    /**
     * Starts a durable consumer that lives as long as the scope. Closing the scope stops pulling, interrupts the
     * running handlers and nacks their messages. A handler that dies is logged and its message redelivered after 1 s.
     */
    readonly consume: <R>(
      options: ConsumerOptions,
      handle: (delivery: Delivery) => Effect.Effect<Disposition, never, R>,
    ) => Effect.Effect<Consumer, TransientError | ConfigurationError, R | Scope.Scope>
    /** Sends to current subscribers; the message is neither stored nor acknowledged. */
    readonly broadcast: (
      address: EphemeralAddress,
      body: Uint8Array,
      headers?: Headers,
    ) => Effect.Effect<void, TransientError | PermanentError>
    /**
     * Receives events and live messages from now on without a durable consumer: nothing is acknowledged, and messages
     * that pass while the bus is disconnected are missed. The subscription is active when the effect returns and ends
     * with the scope. `onMessage` is called synchronously and in order; it must not block or throw. A live topic may
     * end in `*` (one token) or `>` (one or more tokens).
     */
    readonly subscribe: (
      address: EventAddress | EphemeralAddress | "all-events",
      onMessage: (message: ReceivedMessage) => void,
      /** Called when messages may have been missed: the connection was lost, or this subscriber was too slow. */
      onGap?: () => void,
    ) => Effect.Effect<void, TransientError | ConfigurationError, Scope.Scope>
    /**
     * Deletes stored events whose body contains `text` and for which `matches` returns true, and returns how many. An event
     * that one of its consumers has not handled yet stays. The cost grows with the number of stored events. A bus that stores
     * no handled events returns 0.
     */
    readonly removeHandled: (
      text: string,
      matches: (body: Uint8Array) => boolean,
    ) => Effect.Effect<number, TransientError | ConfigurationError>
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
     * Creates or checks every stream, queue and table of the adapter, and the queues of these consumers, so that a
     * publisher can publish before any worker ran. Returns one line per resource for `armoricore setup`.
     */
    readonly setup: (
      consumers: ReadonlyArray<Pick<ConsumerOptions, "name" | "from">>,
    ) => Effect.Effect<ReadonlyArray<string>, TransientError | ConfigurationError>
    readonly status: Effect.Effect<BusStatus>
    /** The current status first, then each change. */
    readonly statusChanges: Stream.Stream<BusStatus>
  }
>()("@armoricore/bus/EventBus") {}

/** Publishes several messages, and returns the exit of each, in their order. */
export const publishAll = (
  bus: EventBus["Service"],
  messages: ReadonlyArray<OutgoingMessage>,
): Effect.Effect<ReadonlyArray<PublishExit>> =>
  bus.publishMany === undefined
    ? Effect.forEach(messages, (message) => Effect.exit(bus.publish(message)), { concurrency: "unbounded" })
    : bus.publishMany(messages)

/** Without `publishMany`: for a wrapper of `publish`. */
export const withoutBatches = ({ publishMany: _publishMany, ...single }: EventBus["Service"]) => single
