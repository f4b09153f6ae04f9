/**
 * The history port: the ordered log of a room, for clients that return. A room is any topic with a history: a chat
 * room, a stream's comments, the events of one user.
 *
 * - `seq` increases within its room, with or without gaps, and is never reused.
 * - An `id` is unique in a room: appending it again returns the item that was appended first. Every adapter recognises
 *   an id for at least {@link dedupWindow}, most as long as the item is stored.
 * - A page continues from a `seq` in either direction. Its cost does not depend on the number of items before or after it.
 * - `replace` changes the body of an item in its place: later reads have the new body, with the same `seq`. Subscribers receive
 *   nothing; an application that edits items appends a notice to a room of its own.
 * - `complete: false` means that an item between `after` and the page is no longer stored (retention, a lost store). Items
 *   that moderation removed do not count.
 *
 * Every adapter passes the behaviour suite in `test/support`.
 */
import { type ConfigurationError, PermanentError, type PortError, TransientError } from "@armoricore/domain/Errors"
import { Context, Duration, Effect, type Scope } from "effect"

export interface HistoryItem {
  readonly seq: number
  readonly id: string
  readonly body: Uint8Array
}

export type AppendResult =
  /** `fresh: false`: this id was appended before, and `item` is the original. */
  | { readonly _tag: "Appended"; readonly item: HistoryItem; readonly fresh: boolean }
  /** This id was removed; it cannot be appended again. */
  | { readonly _tag: "Removed" }

/** An item as delivered to the room's subscribers. */
export interface AppendNotification {
  readonly item: HistoryItem
  /**
   * The `seq` of the room's previous item, 0 for the first: a subscriber that has not seen it has missed items and
   * reads them.
   */
  readonly previousSeq: number
}

interface PageLimits {
  /** The most items of the page. */
  readonly limit: number
  /** The most bytes of all bodies together; a page has at least one item. Default: no limit. */
  readonly maxBytes?: number
}

/** The oldest items after a `seq`, the latest items before a `seq`, or the latest items of the room. */
export type PageRequest = PageLimits &
  (
    | { readonly after: number; readonly before?: never }
    | { readonly before: number; readonly after?: never }
    | { readonly after?: never; readonly before?: never }
  )

export interface HistoryPage {
  /** Ascending. */
  readonly items: ReadonlyArray<HistoryItem>
  /** Stored items follow the page: later ones after a request with `after`, otherwise earlier ones. */
  readonly more: boolean
  /** False if an item after `after` and before the page is no longer stored. Always true without `after`. */
  readonly complete: boolean
}

export interface RemovedItem {
  /** Undefined if the adapter stores only a hash of a name that is too long. */
  readonly room: string | undefined
  readonly id: string
  readonly body: Uint8Array
}

export class History extends Context.Service<
  History,
  {
    /** Succeeds once the item is as durable as the adapter allows. Sequential appends stay in order. */
    readonly append: (room: string, id: string, body: Uint8Array) => Effect.Effect<AppendResult, PortError>
    readonly read: (room: string, page: PageRequest) => Effect.Effect<HistoryPage, PortError>
    /**
     * Receives every item that any process appends to the room, from when the effect returns until the scope closes, at
     * most once and mostly in `seq` order. `onGap` reports that items may have been missed: then read. Both callbacks
     * are called synchronously and must not block or throw.
     */
    readonly subscribe: (
      room: string,
      onAppend: (added: AppendNotification) => void,
      onGap: () => void,
    ) => Effect.Effect<void, PortError, Scope.Scope>
    /** Deletes the item's body. Returns false if no item has this id. */
    readonly remove: (room: string, id: string) => Effect.Effect<boolean, PortError>
    /**
     * Deletes the bodies of all items, in all rooms, whose body contains `text` and for which `matches` returns true. Their
     * `seq` and ids stay taken, as after `remove`. The cost grows with the whole history. Repeating it is safe.
     */
    readonly removeMatching: (
      text: string,
      matches: (body: Uint8Array) => boolean,
    ) => Effect.Effect<ReadonlyArray<RemovedItem>, PortError>
    /**
     * The item with this id; `undefined` if none is stored, or it was removed. On NATS, items that were appended while the limit
     * of a room was at most 10,000 are found only among the latest 10,000 of the room; so do `replace` and `remove`.
     */
    readonly get: (room: string, id: string) => Effect.Effect<HistoryItem | undefined, PortError>
    /**
     * Replaces the body of an item if it still is `expected`. Returns false if it is another one now, or no item has this
     * id: read again. See {@link update}.
     */
    readonly replace: (
      room: string,
      id: string,
      expected: Uint8Array,
      body: Uint8Array,
    ) => Effect.Effect<boolean, PortError>
    /** The number of stored items after a `seq`, counted up to `limit`. */
    readonly count: (room: string, after: number, limit: number) => Effect.Effect<number, PortError>
    /** Creates or checks the adapter's storage; returns one line per resource for `armoricore setup`. */
    readonly setup: Effect.Effect<ReadonlyArray<string>, TransientError | ConfigurationError>
  }
>()("@armoricore/history/History") {}

/** More attempts than concurrent writers of one item. */
const maxUpdateAttempts = 64

/**
 * Changes the body of an item: reads, calls `change`, and writes unless another process wrote in between; then it reads again.
 * `change` may run several times, and returns `undefined` to leave the item as it is. Returns the item as it is stored
 * afterwards, or `undefined` if no item has this id.
 */
export const update = <E>(
  history: History["Service"],
  room: string,
  id: string,
  change: (item: HistoryItem) => Effect.Effect<Uint8Array | undefined, E>,
): Effect.Effect<HistoryItem | undefined, PortError | E> =>
  Effect.gen(function* () {
    for (let attempts = 0; attempts < maxUpdateAttempts; attempts++) {
      const item = yield* history.get(room, id)
      if (item === undefined) return undefined
      const body = yield* change(item)
      if (body === undefined) return item
      if (yield* history.replace(room, id, item.body, body)) return { ...item, body }
    }
    return yield* new TransientError({
      dependency: "history",
      code: "write_conflict",
      message: `the item ${id} of ${room} changes too often; try again`,
    })
  })

/** How long an id is recognised at least. */
export const dedupWindow = Duration.minutes(5)

export const maxBodyBytes = 262_144

/**
 * A room is a topic: at most 800 characters without white space, since `dm:{a}:{b}` has two user ids of 128 characters, whose
 * `%` and `:` are three each. An id has no spaces and at most 200 characters.
 */
export const check = (room: string, id = "-", body?: Uint8Array): Effect.Effect<void, PermanentError> => {
  const message = /^[^\s\p{Cc}\p{Cs}]{1,800}$/u.test(room)
    ? /^[\x21-\x7e]{1,200}$/.test(id)
      ? body !== undefined && body.byteLength > maxBodyBytes
        ? `a history item has at most ${maxBodyBytes} bytes, this one has ${body.byteLength}`
        : undefined
      : "the id of a history item has 1 to 200 ASCII characters and no spaces"
    : "the name of a room has 1 to 800 characters and no spaces"
  return message === undefined ? Effect.void : Effect.fail(new PermanentError({ code: "invalid_item", message }))
}
