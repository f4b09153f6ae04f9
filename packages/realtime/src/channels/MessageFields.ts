/** The fields that chat messages and comments share. */
import { MediaId, UserId } from "@armoricore/domain/Ids"
import {
  Metadata,
  NonNegativeIntFromJson,
  optionalNullable,
  PositiveIntFromJson,
  Timestamp,
} from "@armoricore/domain/JsonCodecs"
import { isBlank } from "@armoricore/domain/VisibleText"
import { Effect, Schema } from "effect"
import type { LogEntry, LogPage, Replay } from "../rooms/RoomLog.ts"

const maxCharacters = 4000

/** 1 to 4,000 Unicode code points: an emoji outside the basic multilingual plane counts as one. */
export const Content = Schema.String.check(
  Schema.makeFilter((text: string) => {
    // Many JSON parsers reject a lone surrogate, and the message is published on the bus too.
    if (!text.isWellFormed()) return "it has a lone surrogate: the text was cut within a character"
    if (text.length === 0) return "it is empty: send at least 1 character"
    if (isBlank(text)) return "it shows nothing, only white space and invisible characters"
    // A text never has more code points than UTF-16 units, so most texts need no counting.
    return text.length <= maxCharacters || [...text].length <= maxCharacters
      ? undefined
      : `it is too long: send at most ${maxCharacters} characters`
  }),
)

/** An idempotency key that the client chooses: a second message with the same key is the same message. */
export const ClientId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(128))

/** A join replays the oldest messages after `since`, or the `last` messages. */
export const replayFields = {
  since: optionalNullable(NonNegativeIntFromJson),
  /** With `since`: the last `rev` that the client received; the reply has the later changes of messages. */
  rev: optionalNullable(NonNegativeIntFromJson),
  last: optionalNullable(NonNegativeIntFromJson),
}

/** Beside the messages of a join reply. */
export const replayReplyFields = {
  /** False: a message after `since` is no longer stored. */
  recovered: Schema.Boolean,
  /** Messages follow: later ones after a join with `since`, otherwise earlier ones. */
  more: Schema.Boolean,
  /** With `more`: the `after` of the next `history` request after a join with `since`, otherwise its `before`. */
  next: Schema.optionalKey(Schema.Int),
}

/** An edit, a removal or new counts of reactions: the event that members received, and its payload. */
export const Change = Schema.Struct({
  event: Schema.String,
  payload: Schema.Record(Schema.String, Schema.Unknown),
})

/** Beside the messages of a join reply, of a topic whose messages can change. */
export const changeFields = {
  /** Changes of earlier messages, ascending by the `rev` of their payloads. Absent if the reply has no change. */
  changes: Schema.optionalKey(Schema.Array(Change)),
  /** The reply includes every change up to it; the client passes it when it joins again. Absent before the first change. */
  rev: Schema.optionalKey(Schema.Int),
}

export const changesOf = ({ changes, rev }: Pick<Replay, "changes" | "rev">) => ({
  ...(changes.length === 0 ? {} : { changes: changes.map(({ event, payload }) => ({ event, payload })) }),
  ...(rev === 0 ? {} : { rev }),
})

/** `history {before | after, limit?}`: one page, without either the latest messages. */
export const historyEvent = <M extends Schema.Codec<unknown, unknown>>(message: M) => ({
  payload: Schema.Struct({
    before: optionalNullable(NonNegativeIntFromJson),
    after: optionalNullable(NonNegativeIntFromJson),
    /** With `after`: the page also has the changes after this `rev`. */
    rev: optionalNullable(NonNegativeIntFromJson),
    /** Default 50, at most 1,000. */
    limit: optionalNullable(PositiveIntFromJson),
  }).check(
    Schema.makeFilter(({ after, before }: { readonly after?: number; readonly before?: number }) =>
      after === undefined || before === undefined
        ? undefined
        : { path: ["after"], issue: "`before` and `after` exclude each other: send one of them" },
    ),
  ),
  reply: Schema.Struct({
    messages: Schema.Array(message),
    more: Schema.Boolean,
    /** False: a message between `after` and the page is no longer stored. Always true without `after`. */
    recovered: Schema.Boolean,
    ...changeFields,
  }),
  allowGuests: true,
})

/** The reply to `history`, without its messages. */
export const pageReply = ({ changes, more, recovered, rev }: LogPage) => ({
  more,
  recovered,
  ...changesOf({ changes, rev }),
})

/** The reply to a join, without its messages. */
export const replayReply = ({ recovered, more, next }: Replay) => ({
  recovered,
  more,
  ...(next === undefined ? {} : { next }),
})

/**
 * Decodes the messages of a page. The joins that read a history together share its entries, and so the messages: these are
 * decoded once for all of them and, since the list is frozen, encoded once.
 */
export const entryDecoder = <M extends Schema.Codec<unknown, unknown>>(message: M) => {
  const decode = Schema.decodeUnknownEffect(message)
  const decoded = new WeakMap<ReadonlyArray<LogEntry>, ReadonlyArray<M["Type"]>>()
  return (entries: ReadonlyArray<LogEntry>): Effect.Effect<ReadonlyArray<M["Type"]>> =>
    Effect.suspend(() => {
      const known = decoded.get(entries)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(Effect.orDie(Effect.forEach(entries, ({ payload }) => decode(payload))), (messages) => {
        decoded.set(entries, Object.freeze(messages))
        return messages
      })
    })
}

/** The fields of every message except its room. */
export const messageFields = {
  id: Schema.String,
  /** Increases within the topic; the client passes the last one as `since` when it joins again. */
  seq: Schema.Int,
  content: Schema.String,
  user_id: UserId,
  timestamp: Timestamp,
}

/** The position of a change in the change log of its topic. */
export const rev = Schema.Int

/** Clients delete the message. `reason`: `author`, `moderator`, or the reasons of moderation. */
export const Removed = Schema.Struct({ id: Schema.String, reason: Schema.String, rev })

export const MessageId = Schema.String.check(
  Schema.isPattern(/^[\x21-\x7e]{1,128}$/, { expected: "the id of a message: 1 to 128 visible ASCII characters" }),
)

/** An emoji, or the name of one such as `:party:`. */
export const Emoji = Schema.String.check(
  Schema.makeFilter((text: string) =>
    /^[^\s\p{Cc}\p{Cs}]{1,32}$/u.test(text) && !isBlank(text)
      ? undefined
      : "it must have 1 to 32 characters without white space",
  ),
)

/** By emoji. */
export const Counts = Schema.Record(Schema.String, Schema.Int)

const maxMetadataBytes = 4096

/** In JSON only half a surrogate pair has such an escape. PHP and other backends cannot decode it. */
const loneSurrogate = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

const SmallMetadata = Metadata.check(
  Schema.makeFilter((value: unknown) => {
    const json = JSON.stringify(value)
    if (loneSurrogate.test(json)) return "it has a lone surrogate: a text was cut within a character"
    return Buffer.byteLength(json) <= maxMetadataBytes
      ? undefined
      : `it is too large: send at most ${maxMetadataBytes} bytes of JSON`
  }),
)

const listOf = <S extends Schema.Constraint>(schema: S, max: number) =>
  Schema.Array(schema).check(Schema.isMaxLength(max, { expected: `at most ${max} items` }))

/** Optional fields of a message. */
export const newMessageFields = {
  reply_to: optionalNullable(MessageId),
  /** Users who receive `mentioned` on `user:{user_id}`. */
  mentions: optionalNullable(listOf(UserId, 20)),
  metadata: optionalNullable(SmallMetadata),
  attachments: optionalNullable(listOf(MediaId, 10)),
}

export const Empty = Schema.Struct({})
