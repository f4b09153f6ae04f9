/**
 * Reads the pages of a room. `NatsRangeReader` may read from a replica that is slightly behind: the last item is therefore
 * read from the stream's leader.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { natsRequest } from "@armoricore/nats/NatsErrors"
import { Effect } from "effect"
import type { HistoryItem } from "../History.ts"
import {
  getMessage,
  type JetStreamHandles,
  lastSeqOf,
  maxFetch,
  resource,
  toItem,
  withConsumer,
} from "./NatsHistoryRequests.ts"
import { isIndexEntry, itemIdOf, streamName, subjectOf } from "./NatsHistoryStream.ts"
import * as NatsRangeReader from "./NatsRangeReader.ts"

export interface Page {
  readonly items: ReadonlyArray<HistoryItem>
  readonly more: boolean
}

/** The oldest items after `after`. */
export const readAfter = (nats: JetStreamHandles, room: string, { after, limit, maxBytes }: PageLimits & After) =>
  readConsistent(nats, room, (last) => {
    if (last <= after) return Effect.succeed(emptyPage)
    return Effect.map(
      NatsRangeReader.read(nats, room, { from: after + 1, last, wanted: limit + 1 }, enough(limit, maxBytes)),
      ({ isLagging, isWhole, items }) => {
        if (isLagging) return undefined
        const count = countFitting(items, limit, maxBytes)
        return { items: items.slice(0, count), more: items.length > count || !isWhole }
      },
    )
  })

/** A part of the room that has more items than this many times the wanted ones is not read to its end. */
const tolerance = 3

/**
 * The latest items before `before`, or the latest of the room. JetStream reads only forward, so parts of the stream are read
 * one before the other until they have enough items. The distances of the items of one part suggest the length of the next.
 */
export const readBefore = (
  nats: JetStreamHandles,
  room: string,
  { before, limit, maxBytes }: PageLimits & Before,
  headersOnly = false,
) =>
  readConsistent(nats, room, (last) =>
    Effect.gen(function* () {
      const first = yield* getMessage(nats, { seq: 1, next_by_subj: subjectOf(room) })
      const start = first?.seq ?? Number.POSITIVE_INFINITY
      const wanted = limit + 1
      let found: ReadonlyArray<HistoryItem> = []
      let to = Math.min(before ?? Number.POSITIVE_INFINITY, last + 1)
      let length = wanted * 2
      while (found.length < wanted && to > start) {
        const from = Math.max(start, to - length)
        const missing = wanted - found.length
        const tooMany = (items: ReadonlyArray<HistoryItem>) => items.length > missing * tolerance
        const part = yield* NatsRangeReader.read(nats, room, { from, to, last, wanted: missing, headersOnly }, tooMany)
        const { items } = part
        if (part.isLagging) return undefined
        if (part.isWhole) {
          found = [...items, ...found]
          to = from
          length = items.length === 0 ? length * 4 : Math.ceil(Math.min(8, (missing * 1.5) / items.length) * length)
        } else length = Math.max(1, (to - (items.at(-1)?.seq ?? from)) >> 1)
      }
      const latest = found.toReversed()
      const count = countFitting(latest, limit, maxBytes)
      return { items: latest.slice(0, count).reverse(), more: latest.length > count }
    }),
  )

const searchPage = 500

/**
 * The `seq` of an item by its id, searched from the newest item on. Bodies are not read. Clients choose the ids that are
 * searched, so the search ends after `maxItems`.
 */
export const findId = Effect.fnUntraced(function* (nats: JetStreamHandles, room: string, id: string, maxItems: number) {
  let before: number | undefined
  for (let items = 0; items < maxItems; items += searchPage) {
    const page: Page = yield* readBefore(nats, room, { before, limit: searchPage }, true)
    const found = page.items.find((item) => item.id === id)
    if (found !== undefined) return found.seq
    if (!page.more) break
    before = page.items[0]?.seq
  }
  return undefined
})

/** The item at a `seq`, as it was appended. */
export const getItem = (nats: JetStreamHandles, room: string, seq: number) =>
  Effect.map(getMessage(nats, { seq }), (found) =>
    found === undefined || found.subject !== subjectOf(room) ? undefined : toItem(found),
  )

/** The items of all rooms whose body matches. Other bodies are read and dropped. Without a subject, no server misses one. */
export const readAll = (nats: JetStreamHandles, matches: (body: Uint8Array) => boolean) =>
  withConsumer(nats, undefined, 1, false, ({ name, num_pending: count }) =>
    natsRequest(resource, async () => {
      const items: Array<HistoryItem & { readonly subject: string }> = []
      if (count === 0) return items
      const consumer = await nats.js.consumers.get(streamName, name)
      for (let read = 0; read < count;) {
        const before = read
        const batch = Math.min(maxFetch, count - read)
        for await (const message of await consumer.fetch({ max_messages: batch, expires: 2_000 })) {
          if (!isIndexEntry(message.subject) && matches(message.data)) {
            const id = itemIdOf(message.headers?.get("Nats-Msg-Id"))
            items.push({ seq: message.seq, id, body: message.data, subject: message.subject })
          }
          if (++read - before === batch) break
        }
        // Deleted since they were counted.
        if (read === before) break
      }
      return items
    }),
  )

interface PageLimits {
  readonly limit: number
  readonly maxBytes?: number | undefined
}
interface After {
  readonly after: number
}
interface Before {
  readonly before?: number | undefined
}

const emptyPage: Page = { items: [], more: false }

/** How many items fit the limits of a page, at least one. */
export const countFitting = (items: ReadonlyArray<HistoryItem>, limit: number, maxBytes = Number.POSITIVE_INFINITY) => {
  let bytes = 0
  const excess = items.findIndex(({ body }, index) => {
    bytes += body.byteLength
    return index > 0 && bytes > maxBytes
  })
  return Math.min(limit, excess === -1 ? items.length : excess)
}

const enough = (limit: number, maxBytes = Number.POSITIVE_INFINITY) => {
  let bytes = 0
  let counted = 0
  return (items: ReadonlyArray<HistoryItem>): boolean => {
    for (; counted < items.length; counted++) bytes += items[counted]?.body.byteLength ?? 0
    return items.length > limit || bytes > maxBytes
  }
}

/** Repeats `read` until it returns a page: `undefined` means that the replica is behind the leader's `last` item. */
const readConsistent = Effect.fnUntraced(function* <E>(
  nats: JetStreamHandles,
  room: string,
  read: (last: number) => Effect.Effect<Page | undefined, E>,
) {
  for (let attempts = 0; attempts < 20; attempts++) {
    const last = yield* lastSeqOf(nats, room)
    if (last === undefined) return emptyPage
    const page = yield* read(last)
    if (page !== undefined) return page
    yield* Effect.sleep(25)
  }
  return yield* new TransientError({
    dependency: "bus",
    code: "unavailable",
    message: `A replica of the ${resource} lags behind its leader; retry`,
  })
})
