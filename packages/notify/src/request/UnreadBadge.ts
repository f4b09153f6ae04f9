/** The badge `unread` of a push: the number of unread items in the inbox of the user when the push is sent. */
import { encodeId } from "@armoricore/domain/EncodedId"
import type { NotificationState } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue, StateError } from "@armoricore/state/KeyValue"
import { userInboxes } from "@armoricore/state/UserInbox"
import { Context, Effect, Layer, Option } from "effect"

export class UnreadBadge extends Context.Service<
  UnreadBadge,
  {
    /** Replaces the badge `unread` by its number. Other notifications are returned as they are, without a read. */
    readonly resolve: (state: NotificationState) => Effect.Effect<NotificationState, StateError>
    /** `expected`: items that may not be stored in the inbox yet, and count as unread. */
    readonly count: (userId: string, expected: ReadonlyArray<string>) => Effect.Effect<number, StateError>
  }
>()("@armoricore/notify/UnreadBadge") {
  static readonly layer: Layer.Layer<UnreadBadge, never, KeyValue> = Layer.effect(
    UnreadBadge,
    Effect.map(Collection.make(userInboxes), (inboxes) => {
      const count = Effect.fn("UnreadBadge.count")(function* (userId: string, expected: ReadonlyArray<string>) {
        const items = Option.getOrUndefined(yield* inboxes.get(encodeId(userId)))?.value.items ?? []
        const stored = new Set(items.map(({ id }) => id))
        const unread = items.filter(({ archived_at, read_at }) => read_at === undefined && archived_at === undefined)
        return unread.length + expected.filter((id) => !stored.has(id)).length
      })
      return UnreadBadge.of({
        count,
        resolve: (state) => {
          const { push } = state.content
          return push?.badge !== "unread"
            ? Effect.succeed(state)
            : Effect.map(count(state.user_id, []), (badge) => ({
                ...state,
                content: { ...state.content, push: { ...push, badge } },
              }))
        },
      })
    }),
  )
}
