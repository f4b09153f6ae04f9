/** The retention of a history, the same on every adapter. */
import { Duration } from "effect"

export interface Retention {
  /** Items older than this are deleted. */
  readonly maxAge: Duration.Duration
  /** Only this many of a room's latest items are stored; a removed item counts until retention deletes it. */
  readonly maxPerRoom: number
}

export const defaults: Retention = { maxAge: Duration.days(7), maxPerRoom: 1000 }
