/** What a history keeps, on every adapter. */
import { Duration } from "effect"

export interface Retention {
  /** Items older than this are gone. */
  readonly maxAge: Duration.Duration
  /** Only this many of a room's latest items are kept; a removed item counts until it would have gone by itself. */
  readonly maxPerRoom: number
}

export const defaults: Retention = { maxAge: Duration.days(7), maxPerRoom: 1000 }
