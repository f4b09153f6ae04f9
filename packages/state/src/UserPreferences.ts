/** The preferences of users, one document each. Realtime's HTTP API writes them, notify reads them. */
import { encodeId } from "@armoricore/domain/EncodedId"
import { noPreferences, Preferences } from "@armoricore/domain/Preferences"
import { Context, Effect, Layer, Option } from "effect"
import * as Collection from "./Collection.ts"
import type { KeyValue, StateError } from "./KeyValue.ts"

export const userPreferences: Collection.Descriptor<Preferences, typeof Preferences.Encoded> = {
  bucket: { name: "user_preference", maxAge: "never" },
  schema: Preferences,
}

export class UserPreferences extends Context.Service<
  UserPreferences,
  {
    /** Without stored preferences everything is on. */
    readonly get: (userId: string) => Effect.Effect<Preferences, StateError>
    readonly getMany: (userIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Preferences>, StateError>
    /** Replaces all preferences of the user. */
    readonly put: (userId: string, preferences: Preferences) => Effect.Effect<void, StateError>
    readonly update: (
      userId: string,
      change: (preferences: Preferences) => Preferences,
    ) => Effect.Effect<Preferences, StateError>
    readonly clear: (userId: string) => Effect.Effect<void, StateError>
  }
>()("@armoricore/state/UserPreferences") {
  static readonly layer: Layer.Layer<UserPreferences, never, KeyValue> = Layer.effect(
    UserPreferences,
    Effect.map(Collection.make(userPreferences), (documents) => {
      const valueOf = (found: Option.Option<Collection.Document<Preferences>>): Preferences =>
        Option.match(found, { onNone: () => noPreferences, onSome: ({ value }) => value })
      return UserPreferences.of({
        get: (userId) => Effect.map(documents.get(encodeId(userId)), valueOf),
        getMany: (userIds) => {
          // A burst often has one user.
          const distinct = [...new Set(userIds)]
          return Effect.map(documents.getMany(distinct.map(encodeId)), (found) => {
            const byUser = new Map(distinct.map((id, at) => [id, found[at]?.value ?? noPreferences]))
            return userIds.map((id) => byUser.get(id) ?? noPreferences)
          })
        },
        put: Effect.fn("UserPreferences.put")(function* (userId, preferences) {
          yield* documents.put(encodeId(userId), preferences)
        }),
        update: Effect.fn("UserPreferences.update")(function* (userId, change) {
          return yield* documents.modifyOrRetry(encodeId(userId), (found) =>
            Effect.sync(() => {
              const next = change(valueOf(found))
              return [next, Option.some(next)] as const
            }),
          )
        }),
        clear: Effect.fn("UserPreferences.clear")(function* (userId) {
          yield* Collection.retryConflicts(documents.remove(encodeId(userId)))
        }),
      })
    }),
  )
}
