/** The fields that chat messages and comments share. */
import { UserId } from "@armoricore/domain/Ids"
import { NonNegativeIntFromJson, optionalNullable, Timestamp } from "@armoricore/domain/JsonCodecs"
import { Schema } from "effect"

const maxCharacters = 4000

/** 1 to 4,000 Unicode code points: an emoji outside the basic multilingual plane counts as one. */
export const Content = Schema.String.check(
  Schema.makeFilter((text: string) => {
    // Many JSON parsers reject a lone surrogate, and the message is published on the bus too.
    if (!text.isWellFormed()) return "has a lone surrogate: the text was cut within a character"
    if (text.length === 0) return "is empty: send at least 1 character"
    // A text never has more code points than UTF-16 units, so most texts need no counting.
    return text.length <= maxCharacters || [...text].length <= maxCharacters
      ? undefined
      : `is too long: send at most ${maxCharacters} characters`
  }),
)

/** An idempotency key that the client chooses: a second message with the same key is the same message. */
export const ClientId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(128))

/** A join replays the history after `since`, or the `last` entries. */
export const replayFields = {
  since: optionalNullable(NonNegativeIntFromJson),
  last: optionalNullable(NonNegativeIntFromJson),
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

/** Moderation removed the message; clients delete it. */
export const Removed = Schema.Struct({ id: Schema.String, reason: Schema.String })

export const Empty = Schema.Struct({})
