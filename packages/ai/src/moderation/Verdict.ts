/** What moderation looks at, and what it says. */
export interface ModeratedMessage {
  readonly kind: "chat" | "comment"
  readonly id: string
  /** The room or stream. */
  readonly conversationId: string
  readonly userId: string
  readonly content: string
  /** When it was written, in ms since 1970. Absent: now. */
  readonly writtenAtMillis?: number
}

/** `remove` takes it away from everybody, `review` asks a person. */
export interface Verdict {
  readonly action: "remove" | "review"
  /** Stable codes: `word`, `link`, `flood`, `repeated`, `model_<category>`, `moderation_unavailable`. */
  readonly reasons: ReadonlyArray<string>
}

/** The stricter action, all reasons. */
export const combine = (a: Verdict | undefined, b: Verdict | undefined): Verdict | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  return {
    action: a.action === "remove" || b.action === "remove" ? "remove" : "review",
    reasons: [...new Set([...a.reasons, ...b.reasons])],
  }
}
