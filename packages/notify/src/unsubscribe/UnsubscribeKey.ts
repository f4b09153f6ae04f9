/**
 * The signing key of unsubscribe links without a setting: random and stored in the state by the first process that needs
 * it, so that every process signs and verifies with the same key after any restart.
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
  // The routes need the key before the program creates its buckets.
  yield* (yield* KeyValue).setup([unsubscribeKeys.bucket])
  const keys = yield* Collection.make(unsubscribeKeys)
  const key = yield* keys
    .modify(name, (stored) =>
      Effect.sync(() => {
        if (Option.isSome(stored)) return [stored.value.value.key, Option.none()] as const
        const fresh = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
        return [fresh, Option.some({ key: fresh })] as const
      }),
    )
    .pipe(Effect.catchTag("Conflict", Effect.die))
  return Redacted.make(key)
})
