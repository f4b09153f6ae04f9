/**
 * The suppression list of e-mail: addresses that bounced or complained, and readers who unsubscribed from a category.
 * `layer` stores the list in the state; with `layerNone` no address is suppressed.
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
    /** The reason of a suppression; undefined: the message may be sent. Called for every delivery, so it has no span. */
    readonly reasonFor: (target: Target, category?: string) => Effect.Effect<string | undefined, StateError>
    /** Suppresses an address by its hash; with a category, only e-mail of that category. */
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
          Effect.map(list.get(key), (entry) => (Option.isSome(entry) ? entry.value.value.reason : undefined))
        const addressReason = reasonAt(keyOf(hash))
        return category === undefined
          ? addressReason
          : Effect.flatMap(addressReason, (reason) =>
              reason === undefined ? reasonAt(keyOf(hash, category)) : Effect.succeed(reason),
            )
      },
      add: Effect.fn("Suppressions.add")(function* (hash: string, reason: Reason, category?: string) {
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
