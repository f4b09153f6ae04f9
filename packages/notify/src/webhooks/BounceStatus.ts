/**
 * The verdict of an enhanced status code (RFC 3463) on the address of a bounced mail.
 *
 * | code | about | verdict |
 * |---|---|---|
 * | 5.1.0–5.1.3, 5.1.6, 5.1.10 | the mailbox or its domain does not exist | `invalid` |
 * | 5.1.4, 5.2.1, 5.4.x, 5.0.0 and others | may be permanent or not | `unclear` |
 * | 5.1.7, 5.1.8 | our sender address | `valid` |
 * | 5.2.2, 5.2.3, 5.3.x, 5.5.x, 5.6.x, 5.7.x | a full mailbox, the system, the protocol, the message, a policy | `valid` |
 * | 4.y.z, or the action `delayed` | the server would accept a later attempt | `valid` |
 */
export type Verdict = "invalid" | "valid" | "unclear"

/** `action` is the field of RFC 3464: only with `failed` is the status the final one. */
export const verdictOf = (status: string | undefined, action = "failed"): Verdict => {
  const [, code = "", subject = "", detail = ""] = /^\s*([245])\.(\d{1,3})\.(\d{1,3})/.exec(status ?? "") ?? []
  if (code === "") return "unclear"
  if (code !== "5" || action.toLowerCase() !== "failed") return "valid"
  if (subject === "1") {
    if (invalidAddress.has(detail)) return "invalid"
    return detail === "7" || detail === "8" ? "valid" : "unclear"
  }
  if (subject === "2") return detail === "2" || detail === "3" ? "valid" : "unclear"
  return /^[3567]$/.test(subject) ? "valid" : "unclear"
}

/** 5.1.10 is the null MX of RFC 7505. */
const invalidAddress: ReadonlySet<string> = new Set(["0", "1", "2", "3", "6", "10"])
