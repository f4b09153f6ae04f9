/** A store with data of users, as the erasure of a user sees it. A new store with such data is one of these. */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Context, type Effect } from "effect"
import type { ResultMessage } from "../ResultMessage.ts"

export interface ErasureRequest {
  readonly userId: string
  /** The `user.erase_requested` event. */
  readonly requestId: string
  /** RFC 3339. */
  readonly requestedAt: string
  /** Publishes a result while the erasure runs, such as `media.deleted`. Repeating it is safe. */
  readonly publish: (result: ResultMessage) => Effect.Effect<void, ErasureError>
}

export type ErasureError = TransientError | PermanentError | ConfigurationError

export interface ErasureStore {
  /** The name in `user.erased`: lower case with underscores. */
  readonly name: string
  /**
   * Removes what the store has about the user and returns how many entries this call has removed. It is repeated until a
   * call returns 0, so it must continue after an interruption and find nothing in the end.
   */
  readonly erase: (request: ErasureRequest) => Effect.Effect<number, ErasureError>
}

/** Further stores of `realtime`, from packages that it does not import. */
export const FurtherStores = Context.Reference<ReadonlyArray<ErasureStore>>("@armoricore/worker/FurtherStores", {
  defaultValue: () => [],
})
