/** Reads pages of a topic's messages and of its change log, for joins and for `history`. */
import type { History, HistoryItem, HistoryPage, PageRequest } from "@armoricore/history/History"
import type { PortError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import * as ChangeLog from "./ChangeLog.ts"
import type { InFlightAppends } from "./InFlightAppends.ts"
import type { OutageBuffer } from "./OutageBuffer.ts"
import { decode, type LogEntry } from "./RoomEntry.ts"

export interface ReplayRequest {
  /** The last `seq` that the client received. */
  readonly since?: number | undefined
  /** The last `rev` that the client received. Without it, a client with `since` gets every stored change. */
  readonly rev?: number | undefined
  /** Maximum number of entries. */
  readonly last?: number | undefined
}

export interface HistoryRequest {
  /** The latest entries before this `seq`. Without `before` and `after`: the latest entries. */
  readonly before?: number | undefined
  /** The oldest entries after this `seq`. */
  readonly after?: number | undefined
  /** With `after`: the page also has the changes after this `rev`. */
  readonly rev?: number | undefined
  /** Maximum number of entries; at most {@link maxPageEntries}. */
  readonly limit?: number | undefined
}

/** Edits, removals and reactions of earlier messages. */
export interface Changes {
  /** Ascending by `rev`. */
  readonly changes: ReadonlyArray<LogEntry>
  /** The page includes all changes up to this `rev`; 0 without any. */
  readonly rev: number
}

export const noChanges: Changes = { changes: [], rev: 0 }

export interface LogPage extends Changes {
  /** Ascending. */
  readonly entries: ReadonlyArray<LogEntry>
  /** Stored entries or changes follow the page: later ones after a request with `after`, otherwise earlier ones. */
  readonly more: boolean
  /**
   * False: an entry between `after` (in a replay `since`) and the page is no longer stored, or a change after `rev`. Always
   * true without `after`.
   */
  readonly recovered: boolean
}

/**
 * With `since` the oldest entries after it, otherwise the latest entries. `recovered` is also false while the history is
 * unavailable.
 */
export interface Replay extends LogPage {
  /** With `more`: where the next page begins; `after` of the next request with `since`, otherwise its `before`. */
  readonly next: number | undefined
  /** For the `upToSeq` of a join. */
  readonly upToSeq: number
}

/** Entries of a join reply where the client requests no number. */
export const defaultReplayLimit = 50

/** The most entries of one reply. */
export const maxPageEntries = 1000

export interface Stores {
  readonly history: History["Service"]
  readonly outageBuffer: OutageBuffer
  readonly inFlight: InFlightAppends
}

export const pageOf = (
  { after, before }: Pick<HistoryRequest, "after" | "before">,
  limit: number,
  maxBytes: number,
): PageRequest => {
  const limits = { limit, maxBytes }
  return after !== undefined ? { after, ...limits } : before !== undefined ? { before, ...limits } : limits
}

export const bytesOf = (items: ReadonlyArray<HistoryItem>): number =>
  items.reduce((sum, { body }) => sum + body.byteLength, 0)

export const readReplay = Effect.fnUntraced(function* (
  stores: Stores,
  topic: string,
  page: PageRequest,
  rev: number | undefined,
) {
  const { after: since } = page
  // Before the messages: these include every change up to it.
  const lastRev = yield* lastRevOf(stores, topic)
  // One entry shows whether there are any.
  const { items, more, complete } = yield* readPage(stores, topic, page.limit === 0 ? { ...page, limit: 1 } : page)
  const last = items.at(-1)?.seq
  stores.outageBuffer.noteSequence(topic, Math.max(last ?? 0, complete ? (since ?? 0) : 0))
  const changed =
    since === undefined || (rev === undefined && lastRev === 0)
      ? undefined
      : yield* readChanges(stores, topic, rev ?? 0, (page.maxBytes ?? 0) - bytesOf(items))
  const isEmpty = page.limit === 0
  const hasMore = more || changed?.more === true || (isEmpty && items.length > 0)
  const next = isEmpty ? (since ?? (items[0] === undefined ? undefined : items[0].seq + 1)) : (last ?? since)
  return {
    entries: isEmpty ? [] : items.map((item) => decode(item)),
    changes: changed?.changes ?? [],
    rev: changed === undefined ? lastRev : changed.rev,
    // Without a `rev`, the client may have received the changes that are no longer stored.
    recovered: since === undefined || (complete && (rev === undefined || changed?.complete !== false)),
    more: hasMore,
    next: !hasMore ? undefined : since === undefined && !isEmpty ? items[0]?.seq : next,
    upToSeq: isEmpty ? (since ?? 0) : (last ?? 0),
  } satisfies Replay
})

/** The `rev` of the last change that this node knows of; 0 without any. Other nodes may have made later changes. */
const lastRevOf = ({ history, outageBuffer }: Stores, topic: string) =>
  Effect.suspend(() => {
    if (!ChangeLog.hasChanges(topic)) return Effect.succeed(0)
    const room = ChangeLog.roomOf(topic)
    const known = outageBuffer.highestSeq(room)
    if (known !== undefined) return Effect.succeed(known)
    return history.read(room, { limit: 1 }).pipe(
      Effect.map(({ items }) => {
        outageBuffer.noteSequence(room, items[0]?.seq ?? 0)
        return outageBuffer.highestSeq(room) ?? 0
      }),
      // Then the page of messages reports the outage.
      Effect.catchTag("TransientError", () => Effect.succeed(0)),
    )
  })

const minChangeBytes = 2048

/** A page of the change log after a `rev`. During an outage of the history it is empty and incomplete. */
export const readChanges = (stores: Stores, topic: string, after: number, maxBytes: number) => {
  const room = ChangeLog.roomOf(topic)
  const page = { after, limit: maxPageEntries, maxBytes: Math.max(minChangeBytes, maxBytes) }
  return Effect.map(readPage(stores, room, page), ({ items, more, complete }) => ({
    changes: ChangeLog.collapse(items.map((item) => decode(item, "rev"))),
    rev: items.at(-1)?.seq ?? after,
    more,
    complete,
  }))
}

/** A page of the history; during an outage the topic's buffered entries, or an empty page. */
const readPage = (
  { history, outageBuffer }: Stores,
  topic: string,
  page: PageRequest,
): Effect.Effect<HistoryPage, PortError> =>
  outageBuffer.has(topic)
    ? Effect.sync(() => ({ items: outageBuffer.entriesOf(topic).slice(-page.limit), more: false, complete: false }))
    : Effect.catchTag(history.read(topic, page), "TransientError", (error) =>
        Effect.as(Effect.logWarning(`joined ${topic} without history: ${error.message}`), {
          items: [],
          more: false,
          complete: false,
        }),
      )
