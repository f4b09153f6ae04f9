/** The input and the result of moderation. */
export interface ModeratedMessage {
  readonly kind: "chat" | "comment"
  readonly id: string
  /** The room or stream. */
  readonly conversationId: string
  readonly userId: string
  readonly content: string
  /** Epoch milliseconds. Absent: now. */
  readonly writtenAtMillis?: number
}

/** `remove` deletes the message for all users, `review` asks a moderator. */
export interface Verdict {
  readonly action: "remove" | "review"
  /** Stable codes: `word`, `link`, `flood`, `repeated`, `model_<category>`, `moderation_unavailable`. */
  readonly reasons: ReadonlyArray<string>
  /** Present if the only fault is the number of messages. */
  readonly flood?: Flood
}

/** Messages of one user that came too fast, or with the same text. */
export interface Flood {
  /** Messages so far. */
  readonly count: number
  /** The time of the first one, RFC 3339; identifies the flood of this user and room. */
  readonly since: string
}

/** The stricter action with the reasons of both. */
export const combine = (a: Verdict | undefined, b: Verdict | undefined): Verdict | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  return {
    action: a.action === "remove" || b.action === "remove" ? "remove" : "review",
    reasons: [...new Set([...a.reasons, ...b.reasons])],
  }
}
