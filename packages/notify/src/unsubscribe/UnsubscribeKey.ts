/**
 * The key of links to unsubscribe, where no setting gives one: random, made by whoever needs it first, and kept in the
 * state, so that the process that signs links and the one that answers them have the same, and go on having it.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import { KeyValue } from "@armoricore/state/KeyValue"
import { unsubscribeKeys } from "@armoricore/state/NotificationStates"
import { Effect, Option, Redacted } from "effect"

const name = "key.unsubscribe"

export const sharedKey: Effect.Effect<
  Redacted.Redacted<string>,
  TransientError | ConfigurationError,
  KeyValue
> = Effect.gen(function* () {
  // Routes are built with the key before the program sets up what it stores in.
  yield* (yield* KeyValue).setup([unsubscribeKeys.bucket])
  const keys = yield* Collection.make(unsubscribeKeys)
  const key = yield* keys
    .modify(name, (found) =>
      Effect.sync(() => {
        if (Option.isSome(found)) return [found.value.value.key, Option.none()] as const
        const fresh = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
        return [fresh, Option.some({ key: fresh })] as const
      }),
    )
    .pipe(Effect.catchTag("Conflict", Effect.die))
  return Redacted.make(key)
})
