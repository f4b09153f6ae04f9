/**
 * The inboxes of users with their announcements: every change reaches all sockets of the user, on all nodes. The channel,
 * the worker and the HTTP API change inboxes here only.
 */
import type { StateError } from "@armoricore/state/KeyValue"
import { type InboxChange, type InboxPage, type InboxQuery, type NewItem, UserInbox } from "@armoricore/state/UserInbox"
import { Context, Effect, Layer } from "effect"
import * as Topic from "../channel/Topic.ts"
import { Topics } from "../pubsub/Topics.ts"

export class Inboxes extends Context.Service<
  Inboxes,
  {
    /** Adding the same id again changes nothing, and announces the item again in case the first time was interrupted. */
    readonly add: (userId: string, item: NewItem) => Effect.Effect<void, StateError>
    readonly list: (userId: string, query: InboxQuery) => Effect.Effect<InboxPage, StateError>
    readonly markRead: (userId: string, ids: ReadonlyArray<string>) => Effect.Effect<InboxChange, StateError>
    /** With `upTo` only items up to this `seq`. */
    readonly markAllRead: (userId: string, upTo?: number) => Effect.Effect<InboxChange, StateError>
    readonly archive: (userId: string, ids: ReadonlyArray<string>) => Effect.Effect<InboxChange, StateError>
  }
>()("@armoricore/realtime/Inboxes") {
  static readonly layer: Layer.Layer<Inboxes, never, Topics | UserInbox> = Layer.effect(
    Inboxes,
    Effect.gen(function* () {
      const inbox = yield* UserInbox
      const topics = yield* Topics

      /** Nothing changed: nothing to announce. */
      const announce = (event: "inbox_read" | "inbox_archived", userId: string, change: InboxChange) =>
        change.ids.length === 0
          ? Effect.succeed(change)
          : Effect.as(topics.broadcast(Topic.inbox(userId), event, { ...change }), change)

      return {
        add: Effect.fn("Inboxes.add")(function* (userId, added) {
          const { item, unread } = yield* inbox.add(userId, added)
          if (item.archived_at !== undefined) return
          yield* topics.broadcast(Topic.inbox(userId), "inbox_item", { ...item, unread }, { seq: item.seq })
        }),
        list: inbox.list,
        markRead: (userId, ids) =>
          Effect.flatMap(inbox.markRead(userId, ids), (change) => announce("inbox_read", userId, change)),
        markAllRead: (userId, upTo) =>
          Effect.flatMap(inbox.markAllRead(userId, upTo), (change) => announce("inbox_read", userId, change)),
        archive: (userId, ids) =>
          Effect.flatMap(inbox.archive(userId, ids), (change) => announce("inbox_archived", userId, change)),
      }
    }),
  )
}
