/**
 * The in-app inboxes: one document per user with its newest items, so that every change is one compare-and-set and the
 * unread count is exact. Items end by age, by number and by size, the oldest first.
 */
import { encodeId } from "@armoricore/domain/EncodedId"
import { InboxItem, InboxState } from "@armoricore/domain/Inbox"
import { Clock, Context, Duration, Effect, Layer, Option } from "effect"
import * as Collection from "./Collection.ts"
import type { KeyValue, StateError } from "./KeyValue.ts"

export interface InboxRetention {
  /** Items older than this are deleted. */
  readonly maxAge: Duration.Duration
  readonly maxItems: number
}

export const InboxRetention = Context.Reference<InboxRetention>("@armoricore/state/InboxRetention", {
  defaultValue: () => ({ maxAge: Duration.days(90), maxItems: 200 }),
})

/** Bytes of JSON; every adapter stores a document of this size. */
export const maxInboxBytes = 500_000

export const userInboxes: Collection.Descriptor<InboxState, typeof InboxState.Encoded> = {
  bucket: { name: "user_inbox", maxAge: "never" },
  schema: InboxState,
  skipEncode: true,
}

export type NewItem = Omit<InboxItem, "seq" | "read_at" | "archived_at">

export interface AddedItem {
  readonly item: InboxItem
  readonly unread: number
  readonly fresh: boolean
}

export interface InboxQuery {
  /** The oldest items after this `seq`. */
  readonly after?: number | undefined
  /** The newest items before this `seq`; without both, the newest items. */
  readonly before?: number | undefined
  readonly limit: number
  /** Only archived items; otherwise only items that are not archived. */
  readonly archived?: boolean | undefined
  readonly unreadOnly?: boolean | undefined
}

export interface InboxPage {
  /** Ascending by `seq`. */
  readonly items: ReadonlyArray<InboxItem>
  /** Of the whole inbox, without archived items. */
  readonly unread: number
  /** Items follow the page: later ones after a query with `after`, otherwise earlier ones. */
  readonly more: boolean
}

export interface InboxChange {
  /** The items that changed; ids that are unknown or changed before are not among them. */
  readonly ids: ReadonlyArray<string>
  readonly unread: number
}

export class UserInbox extends Context.Service<
  UserInbox,
  {
    /** Adds an item. `fresh: false`: the inbox has had this id already, and `item` is the stored one. */
    readonly add: (userId: string, item: NewItem) => Effect.Effect<AddedItem, StateError>
    readonly list: (userId: string, query: InboxQuery) => Effect.Effect<InboxPage, StateError>
    readonly markRead: (userId: string, ids: ReadonlyArray<string>) => Effect.Effect<InboxChange, StateError>
    /** With `upTo` only items up to this `seq`: one that arrived since the user looked stays unread. */
    readonly markAllRead: (userId: string, upTo?: number) => Effect.Effect<InboxChange, StateError>
    /** An archived item counts as read. */
    readonly archive: (userId: string, ids: ReadonlyArray<string>) => Effect.Effect<InboxChange, StateError>
    /** Deletes the whole inbox. */
    readonly clear: (userId: string) => Effect.Effect<void, StateError>
  }
>()("@armoricore/state/UserInbox") {
  static readonly layer: Layer.Layer<UserInbox, never, KeyValue> = Layer.effect(
    UserInbox,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const documents = yield* Collection.make(userInboxes)
  const retention = yield* InboxRetention
  const maxAgeMillis = Duration.toMillis(retention.maxAge)
  const options = { expiresIn: retention.maxAge }

  const isCurrent = (now: number) => (item: InboxItem) => Date.parse(item.created_at) > now - maxAgeMillis

  const change = (
    userId: string,
    update: (item: InboxItem, at: string) => InboxItem,
  ): Effect.Effect<InboxChange, StateError> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      documents.modifyOrRetry(
        encodeId(userId),
        (found) =>
          Effect.sync(() => {
            const before = stateOf(found)
            const at = new Date(now).toISOString()
            const current = before.items.filter(isCurrent(now))
            const items = current.map((item) => update(item, at))
            const ids = items.flatMap((item, index) => (item === current[index] ? [] : [item.id]))
            const result = { ids, unread: unreadOf(items) }
            return [result, ids.length === 0 ? Option.none() : Option.some({ ...before, items })] as const
          }),
        options,
      ),
    )

  return UserInbox.of({
    add: Effect.fn("UserInbox.add")(function* (userId, added) {
      const now = yield* Clock.currentTimeMillis
      return yield* documents.modifyOrRetry(
        encodeId(userId),
        (found) =>
          Effect.sync((): Collection.Decision<InboxState, AddedItem> => {
            // An inbox that expired begins above the numbers that it had: a client may still send one as `since`.
            const { items, last_seq } = stateOf(found, Math.floor(now / 1_000))
            const known = items.find(({ id }) => id === added.id)
            if (known !== undefined) return [{ item: known, unread: unreadOf(items), fresh: false }, Option.none()]
            const item: InboxItem = { ...added, seq: last_seq + 1 }
            const next = trim([...items.filter(isCurrent(now)), item], retention.maxItems)
            const state: InboxState = { last_seq: item.seq, items: next }
            return [{ item, unread: unreadOf(next), fresh: true }, Option.some(state)]
          }),
        options,
      )
    }),
    list: Effect.fn("UserInbox.list")(function* (userId, { after, archived = false, before, limit, unreadOnly }) {
      const now = yield* Clock.currentTimeMillis
      const items = stateOf(yield* documents.get(encodeId(userId))).items.filter(isCurrent(now))
      const matching = items.filter(
        (item) =>
          (item.archived_at !== undefined) === archived &&
          (unreadOnly !== true || item.read_at === undefined) &&
          (after === undefined || item.seq > after) &&
          (before === undefined || item.seq < before),
      )
      const page = after === undefined ? matching.slice(Math.max(0, matching.length - limit)) : matching.slice(0, limit)
      return { items: page, unread: unreadOf(items), more: matching.length > page.length }
    }),
    markRead: Effect.fn("UserInbox.markRead")(function* (userId, ids) {
      const chosen = new Set(ids)
      return yield* change(userId, (item, at) => (chosen.has(item.id) ? read(item, at) : item))
    }),
    markAllRead: Effect.fn("UserInbox.markAllRead")(function* (userId, upTo = Number.POSITIVE_INFINITY) {
      return yield* change(userId, (item, at) => (item.seq <= upTo ? read(item, at) : item))
    }),
    archive: Effect.fn("UserInbox.archive")(function* (userId, ids) {
      const chosen = new Set(ids)
      return yield* change(userId, (item, at) =>
        chosen.has(item.id) && item.archived_at === undefined ? { ...read(item, at), archived_at: at } : item,
      )
    }),
    clear: Effect.fn("UserInbox.clear")(function* (userId) {
      yield* Collection.retryConflicts(documents.remove(encodeId(userId)))
    }),
  })
})

const stateOf = (found: Option.Option<Collection.Document<InboxState>>, last_seq = 0): InboxState =>
  Option.match(found, { onNone: () => ({ last_seq, items: [] }), onSome: ({ value }) => value })

const read = (item: InboxItem, at: string): InboxItem => (item.read_at === undefined ? { ...item, read_at: at } : item)

const unreadOf = (items: ReadonlyArray<InboxItem>): number =>
  items.reduce((count, { read_at }) => (read_at === undefined ? count + 1 : count), 0)

/** The newest items that fit. */
const trim = (items: ReadonlyArray<InboxItem>, maxItems: number): ReadonlyArray<InboxItem> => {
  const newest = items.slice(-maxItems)
  let bytes = 0
  const surplus = newest.findLastIndex((item) => {
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1
    return bytes > maxInboxBytes
  })
  return newest.slice(surplus + 1)
}
