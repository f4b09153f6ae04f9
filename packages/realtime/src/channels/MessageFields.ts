/** What people say: the parts that chat and comments have in common. */
import { UserId } from "@armoricore/domain/Ids"
import { NonNegativeIntFromJson, optionalNullable, Timestamp } from "@armoricore/domain/JsonCodecs"
import { Schema } from "effect"

const maxCharacters = 4000

/** 1 to 4,000 characters, as people count them: an emoji outside the basic plane is one. */
export const Content = Schema.String.check(
  Schema.makeFilter((text: string) => {
    // A lone half of an emoji, from a text cut too short, is JSON that many readers refuse, and they read the bus too.
    if (!text.isWellFormed()) return "has half a character: the text was cut within an emoji"
    if (text.length === 0) return "is empty: at least 1 character is wanted"
    // No text has more characters than UTF-16 units, so most need no counting.
    return text.length <= maxCharacters || [...text].length <= maxCharacters
      ? undefined
      : `is too long: at most ${maxCharacters} characters are taken`
  }),
)

/** Chosen by the client: the same one again means the same message, not another. */
export const ClientId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(128))

/** What a join may ask of the history: what came since a `seq`, or the latest. */
export const replayFields = {
  since: optionalNullable(NonNegativeIntFromJson),
  last: optionalNullable(NonNegativeIntFromJson),
}

/** What every message has besides its room. */
export const messageFields = {
  id: Schema.String,
  /** Grows within its topic; pass the last one as `since` when joining again. */
  seq: Schema.Int,
  content: Schema.String,
  user_id: UserId,
  timestamp: Timestamp,
}

/** Moderation took it away: forget it. */
export const Removed = Schema.Struct({ id: Schema.String, reason: Schema.String })

export const Empty = Schema.Struct({})
