/**
 * Who must not get e-mail: addresses that bounced or complained, and readers who unsubscribed from a category. A policy
 * Layer: `layer` keeps the list in the state, `layerNone` suppresses nobody.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import type { Target } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { suppressions } from "@armoricore/state/NotificationStates"
import { Clock, Context, Effect, Layer, Option } from "effect"
import { hashOf } from "../request/Target.ts"

export type Reason = "bounced" | "complained" | "unsubscribed"

type StateError = TransientError | ConfigurationError

export class Suppressions extends Context.Service<
  Suppressions,
  {
    /** Why this target must not get it; undefined: it may. */
    readonly reasonFor: (target: Target, category?: string) => Effect.Effect<string | undefined, StateError>
    /** With a category only that is suppressed. `address` may be a hash already, as an unsubscribe token carries it. */
    readonly add: (hash: string, reason: Reason, category?: string) => Effect.Effect<void, StateError>
    readonly remove: (hash: string, category?: string) => Effect.Effect<void, StateError>
  }
>()("@armoricore/notify/Suppressions") {
  static readonly layer: Layer.Layer<Suppressions, never, KeyValue> = Layer.effect(
    Suppressions,
    Effect.map(Collection.make(suppressions), (list) => ({
      reasonFor: (target, category) => {
        if (target.channel !== "email") return Effect.succeed(undefined)
        const hash = hashOf(target)
        const reasonAt = (key: string) =>
          Effect.map(list.get(key), (found) => (Option.isSome(found) ? found.value.value.reason : undefined))
        const addressReason = reasonAt(keyOf(hash))
        return category === undefined
          ? addressReason
          : Effect.flatMap(addressReason, (reason) =>
              reason === undefined ? reasonAt(keyOf(hash, category)) : Effect.succeed(reason),
            )
      },
      add: Effect.fnUntraced(function* (hash: string, reason: Reason, category?: string) {
        yield* list.put(keyOf(hash, category), { reason, since: yield* Clock.currentTimeMillis })
      }),
      remove: (hash: string, category?: string) =>
        Effect.catchTag(list.remove(keyOf(hash, category)), "Conflict", Effect.die),
    })),
  )

  static readonly layerNone: Layer.Layer<Suppressions> = Layer.succeed(Suppressions, {
    reasonFor: () => Effect.succeed(undefined),
    add: () => Effect.void,
    remove: () => Effect.void,
  })
}

const keyOf = (hash: string, category?: string): string =>
  category === undefined ? `email.${hash}` : `email.${hash}.${category}`
