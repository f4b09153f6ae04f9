/**
 * Records of messages that an operator replayed for one consumer only, because the other consumers had handled them. Such
 * a message carries the header `Armoricore-Replay-For`. Any publisher can write that header, so consumers skip the message
 * only if a record exists here, which needs write access to the ledger.
 */
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { Bucket, KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Effect, Option } from "effect"

type Message = Pick<StoredMessage, "id" | "body">

export interface Replays {
  /** Must run before the message is published. */
  readonly record: (message: Message, consumer: string) => Effect.Effect<void, StateError>
  readonly isRecorded: (message: Message, consumer: string) => Effect.Effect<boolean, StateError>
}

export const make = (bucket: Bucket, kv: KeyValue["Service"]): Replays => ({
  record: (message, consumer) => Effect.asVoid(kv.put(bucket, keyOf(message, consumer), "")),
  isRecorded: (message, consumer) => Effect.map(kv.get(bucket, keyOf(message, consumer)), Option.isSome),
})

/** Hashes the whole message, so that a record cannot be reused for another one. */
const keyOf = ({ body, id }: Message, consumer: string): string =>
  `replay:${sha256(`${consumer}\n${id.length}:${id}\n${Buffer.from(body).toString("latin1")}`)}`
