/**
 * Reads the items of a room in a part of the stream. Near the stream's end a temporary consumer reads them. The server counts the
 * messages after the start of a consumer one by one, so that its creation takes longer with the distance to the end. Where that
 * takes longer, items are read by single requests for the next item from a `seq` on, many at a time.
 */
import { natsRequest } from "@armoricore/nats/NatsErrors"
import { Effect } from "effect"
import type { HistoryItem } from "../History.ts"
import {
  countFrom,
  getMessage,
  type JetStreamHandles,
  markHeader,
  maxFetch,
  resource,
  toItem,
  withConsumer,
} from "./NatsHistoryRequests.ts"
import { itemIdOf, streamName, subjectOf } from "./NatsHistoryStream.ts"

export interface Range {
  readonly from: number
  /** Exclusive; absent: to the last item. */
  readonly to?: number
  /** The `seq` of the room's last item. */
  readonly last: number
  /** How many items are probably enough. */
  readonly wanted: number
  /** Bodies may be empty. */
  readonly headersOnly?: boolean
}

export interface RangeItems {
  /** Ascending, without a gap from the start of the range on. */
  readonly items: ReadonlyArray<HistoryItem>
  /** All items of the range. */
  readonly isWhole: boolean
  /** A replica that has not received the last items yet was read: try again. */
  readonly isLagging: boolean
}

type IsEnough = (items: ReadonlyArray<HistoryItem>) => boolean

export const read = Effect.fnUntraced(function* (
  nats: JetStreamHandles,
  room: string,
  range: Range,
  isEnough: IsEnough,
) {
  const to = range.to ?? Number.POSITIVE_INFINITY
  const first = yield* nextItem(nats, room, range.from)
  if (first === undefined || first.seq >= to) return { items: [], isWhole: true, isLagging: false } satisfies RangeItems
  const { state } = yield* natsRequest(resource, () => nats.manager.streams.info(streamName))
  return yield* state.last_seq - first.seq <= nats.maxCountedPerItem * range.wanted
    ? readByConsumer(nats, room, { ...range, from: first.seq }, isEnough)
    : readByRequests(nats, room, first, { to, wanted: range.wanted }, isEnough)
})

/** The number of items after a `seq`, up to `limit`. */
export const count = Effect.fnUntraced(function* (nats: JetStreamHandles, room: string, after: number, limit: number) {
  const { state } = yield* natsRequest(resource, () => nats.manager.streams.info(streamName))
  if (state.last_seq - after <= nats.maxCountedPerItem * limit)
    return Math.min(limit, yield* countFrom(nats, room, after + 1))
  const first = yield* nextItem(nats, room, after + 1)
  if (first === undefined) return 0
  const bounds = { to: Number.POSITIVE_INFINITY, wanted: limit }
  const { items } = yield* readByRequests(nats, room, first, bounds, (found) => found.length >= limit)
  return Math.min(limit, items.length)
})

const nextItem = Effect.fnUntraced(function* (nats: JetStreamHandles, room: string, from: number) {
  for (let seq = from; ;) {
    const found = yield* getMessage(nats, { seq, next_by_subj: subjectOf(room) })
    if (found === undefined) return undefined
    if (!found.header.has(markHeader)) return toItem(found)
    seq = found.seq + 1
  }
})

const readByConsumer = (
  nats: JetStreamHandles,
  room: string,
  { from, headersOnly = false, last, to = Number.POSITIVE_INFINITY }: Omit<Range, "wanted">,
  isEnough: IsEnough,
) =>
  withConsumer(nats, subjectOf(room), from, headersOnly, ({ name, num_pending: count }) =>
    natsRequest(resource, async (): Promise<RangeItems> => {
      const items: Array<HistoryItem> = []
      let read = 0
      let position = 0
      const result = (isWhole: boolean) => ({ items: items.filter(({ seq }) => seq < to), isWhole, isLagging: false })
      const consumer = await nats.js.consumers.get(streamName, name)
      const end = Math.min(to, last)
      while (read < count) {
        const batch = Math.min(maxFetch, count - read)
        let received = 0
        for await (const message of await consumer.fetch({ max_messages: batch, expires: 2_000 })) {
          position = message.seq
          const id = itemIdOf(message.headers?.get("Nats-Msg-Id"))
          if (!message.headers?.has(markHeader)) items.push({ seq: message.seq, id, body: message.data })
          if (++received === batch) break
        }
        read += received
        if (position >= end) return result(to !== Number.POSITIVE_INFINITY || read >= count)
        if (isEnough(items)) return result(false)
        // Removed or deleted since they were counted.
        if (received === 0) break
      }
      return { ...result(true), isLagging: position < end }
    }),
  )

/** Requests at a time. */
const concurrency = 64

interface KnownItem {
  readonly item: HistoryItem
  /** No other item is between this `seq` and the item. */
  from: number
}

const readByRequests = Effect.fnUntraced(function* (
  nats: JetStreamHandles,
  room: string,
  first: HistoryItem,
  { to, wanted }: { readonly to: number; readonly wanted: number },
  isEnough: IsEnough,
) {
  /** Ascending. */
  let known: ReadonlyArray<KnownItem> = [{ item: first, from: first.seq }]
  /** No item of the range is at this `seq` or later. */
  let end = to
  for (;;) {
    const items: Array<HistoryItem> = []
    /** Where it is unknown whether another item follows. */
    const gaps: Array<number> = []
    for (const [index, { item }] of known.entries()) {
      if (gaps.length === 0) items.push(item)
      const next = known[index + 1]
      const isKnown = next === undefined ? item.seq + 1 >= end : next.from <= item.seq + 1
      if (!isKnown) gaps.push(item.seq + 1)
    }
    if (isEnough(items)) return { items, isWhole: false, isLagging: false } satisfies RangeItems
    if (gaps.length === 0) return { items, isWhole: true, isLagging: false } satisfies RangeItems
    const last = known.at(-1)?.item.seq ?? first.seq
    // The next ones are expected at the distance of those before.
    const distance = Math.max(1, Math.floor((last - first.seq) / Math.max(1, known.length - 1)))
    const guesses = Array.from(
      { length: Math.max(1, wanted - known.length) },
      (_, index) => last + 1 + index * distance,
    )
    const positions = [...new Set([...gaps, ...guesses])].filter((seq) => seq < end).slice(0, concurrency)
    const found = yield* Effect.forEach(positions, (seq) => nextItem(nats, room, seq), { concurrency })
    const bySeq = new Map(known.map((one) => [one.item.seq, { ...one }]))
    for (const [index, item] of found.entries()) {
      const from = positions[index] ?? to
      if (item === undefined || item.seq >= to) end = Math.min(end, from)
      else {
        const before = bySeq.get(item.seq)
        if (before === undefined) bySeq.set(item.seq, { item, from })
        else before.from = Math.min(before.from, from)
      }
    }
    known = [...bySeq.values()].sort((a, b) => a.item.seq - b.item.seq)
  }
})
