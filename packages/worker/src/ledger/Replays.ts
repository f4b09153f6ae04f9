/**
 * Records of messages that an operator replayed. Such a message carries the header `Armoricore-Replay-Of`, and
 * `Armoricore-Replay-For` if only one consumer is to handle it, because the others had handled it. Any publisher can write
 * these headers, so they count only with a record here, which needs write access to the ledger.
 */
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { Bucket, KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Effect, Option, Schema } from "effect"

type Message = Pick<StoredMessage, "id" | "body">

/** The rights of a replayed message. */
export const Replay = Schema.Struct({
  /** The only consumer that handles the message; absent: every consumer of its address. */
  consumer: Schema.optionalKey(Schema.String),
  /** A dead letter that stays until a consumer has handled the message: the original of an edited body. */
  original: Schema.optionalKey(Schema.String),
})
export type Replay = typeof Replay.Type

export interface Replays {
  /** Must run before the message is published. */
  readonly record: (message: Message, replay: Replay) => Effect.Effect<void, StateError>
  /** `None`: no operator replayed this message. */
  readonly find: (message: Message) => Effect.Effect<Option.Option<Replay>, StateError>
}

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Replay))

export const make = (bucket: Bucket, kv: KeyValue["Service"]): Replays => ({
  record: (message, replay) => Effect.asVoid(kv.put(bucket, keyOf(message), JSON.stringify(replay))),
  find: (message) =>
    Effect.map(
      kv.get(bucket, keyOf(message)),
      Option.flatMap(({ value }) => decode(value)),
    ),
})

/** Hashes the whole message, so that a record cannot be reused for another one. */
const keyOf = ({ body, id }: Message): string =>
  `replay:${sha256(`${id.length}:${id}\n${Buffer.from(body).toString("latin1")}`)}`
