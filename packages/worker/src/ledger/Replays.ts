/**
 * Which messages an operator sent again for one consumer alone, because every other one has handled them. The message
 * says so in a header, and a header may be written by whoever publishes: it counts only with a record here, which takes
 * the right to write the ledger.
 */
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { Bucket, KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Effect, Option } from "effect"

type Message = Pick<StoredMessage, "id" | "body">

export interface Replays {
  /** Before the message is sent. */
  readonly record: (message: Message, consumer: string) => Effect.Effect<void, StateError>
  readonly isRecorded: (message: Message, consumer: string) => Effect.Effect<boolean, StateError>
}

export const make = (bucket: Bucket, kv: KeyValue["Service"]): Replays => ({
  record: (message, consumer) => Effect.asVoid(kv.put(bucket, keyOf(message, consumer), "")),
  isRecorded: (message, consumer) => Effect.map(kv.get(bucket, keyOf(message, consumer)), Option.isSome),
})

/** Of all that it is, or the record of one message would vouch for another. */
const keyOf = ({ body, id }: Message, consumer: string): string =>
  `replay:${sha256(`${consumer}\n${id.length}:${id}\n${Buffer.from(body).toString("latin1")}`)}`
