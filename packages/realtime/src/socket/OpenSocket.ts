/** An open socket as operators see it. */
import type { Identity } from "@armoricore/auth/Identity"
import type { ConnectionLease } from "./UsageLimits.ts"

export interface OpenSocket {
  readonly id: string
  readonly identity: Identity
  readonly lease: ConnectionLease
  /** Epoch milliseconds. */
  readonly openedAt: number
  /** Joined, or being joined. */
  readonly topics: () => ReadonlyArray<string>
  /** Closes the socket; `reason` is told to the client. */
  readonly kick: (reason: string) => void
  /** Ends one membership with `phx_close`, after which the client does not join again by itself. False: there is none. */
  readonly kickFrom: (topic: string, reason: string) => boolean
}
