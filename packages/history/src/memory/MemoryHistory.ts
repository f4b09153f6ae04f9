/**
 * The history in memory: it ends with its Layer, which readers see as `complete: false`. To make that detectable, a
 * room's `seq` starts at the time of its first item, so that a later Layer never repeats one.
 */
import { Clock, Duration, Effect, Layer, Schedule } from "effect"
import { Subscribers } from "../Subscribers.ts"
import { check, History, type HistoryItem, type HistoryPage, type PageRequest } from "../History.ts"
import { defaults, type Retention } from "../Retention.ts"

interface StoredItem {
  readonly seq: number
  readonly id: string
  readonly at: number
  /** Absent once removed. */
  body: Uint8Array | undefined
}

/** Each build of the Layer has its own history. */
export const layer = (options: Partial<Retention> = {}): Layer.Layer<History> =>
  Layer.effect(
    History,
    Effect.gen(function* () {
      const retention = { ...defaults, ...options }
      const rooms = new Map<string, Room>()
      const subscribers = new Subscribers()

      const open = (name: string, now: number): Room => {
        const room = rooms.get(name) ?? new Room(now * seqsPerMilli, retention)
        rooms.set(name, room)
        room.trim(now)
        return room
      }

      const sweep = Effect.map(Clock.currentTimeMillis, (now) => {
        for (const [name, room] of rooms) {
          room.trim(now)
          if (room.isEmpty) rooms.delete(name)
        }
      })
      yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced("1 minute")))

      return {
        append: (name, id, body) =>
          Effect.gen(function* () {
            yield* check(name, id, body)
            const now = yield* Clock.currentTimeMillis
            const room = open(name, now)
            const known = room.find(id)
            if (known === undefined) {
              const previousSeq = room.lastSeq
              const item = room.add(id, body, now)
              subscribers.publish(name, { item, previousSeq })
              return { _tag: "Appended", item: { seq: item.seq, id, body }, fresh: true } as const
            }
            const { seq } = known
            if (known.body === undefined) return { _tag: "Removed" } as const
            return { _tag: "Appended", item: { seq, id, body: known.body }, fresh: false } as const
          }),
        read: (name, request) =>
          Effect.gen(function* () {
            yield* check(name)
            const now = yield* Clock.currentTimeMillis
            const room = rooms.get(name)
            room?.trim(now)
            if (room !== undefined) return room.read(request)
            return { items: [], more: false, complete: (request.after ?? 0) === 0 }
          }),
        subscribe: (name, onAppend, onGap) => Effect.andThen(check(name), subscribers.add(name, onAppend, onGap)),
        remove: (name, id) =>
          Effect.andThen(
            check(name, id),
            Effect.sync(() => {
              const item = rooms.get(name)?.find(id)
              if (item?.body === undefined) return false
              item.body = undefined
              return true
            }),
          ),
        removeMatching: (text, matches) =>
          Effect.sync(() =>
            [...rooms].flatMap(([name, room]) =>
              room
                .removeWhere((body) => Buffer.from(body).includes(text) && matches(body))
                .map((item) => ({ room: name, ...item })),
            ),
          ),
        get: (name, id) =>
          Effect.gen(function* () {
            yield* check(name, id)
            const room = rooms.get(name)
            room?.trim(yield* Clock.currentTimeMillis)
            const item = room?.find(id)
            return item?.body === undefined ? undefined : { seq: item.seq, id, body: item.body }
          }),
        replace: (name, id, expected, body) =>
          Effect.andThen(
            check(name, id, body),
            Effect.sync(() => {
              const item = rooms.get(name)?.find(id)
              if (item?.body === undefined || Buffer.compare(item.body, expected) !== 0) return false
              item.body = body
              return true
            }),
          ),
        count: (name, after, limit) =>
          Effect.gen(function* () {
            yield* check(name)
            const room = rooms.get(name)
            room?.trim(yield* Clock.currentTimeMillis)
            return room?.count(after, limit) ?? 0
          }),
        setup: Effect.succeed(["history: in memory, gone when the process ends"]),
      }
    }),
  )

/** More items per millisecond than any room gets. */
const seqsPerMilli = 1000

class Room {
  readonly #retention: Retention
  readonly #first: number
  #last: number
  /** The last `seq` that retention deleted. */
  #trimmed = 0
  readonly #ids = new Map<string, StoredItem>()
  #items: Array<StoredItem> = []
  /** Items at the start of `#items` that retention deleted: moving the others for each would cost as much as the room has. */
  #gone = 0

  constructor(base: number, retention: Retention) {
    this.#first = base
    this.#last = base
    this.#retention = retention
  }

  get isEmpty(): boolean {
    return this.#items.length === this.#gone
  }

  /** The last `seq`, 0 before the first item. */
  get lastSeq(): number {
    return this.#last === this.#first ? 0 : this.#last
  }

  find(id: string): StoredItem | undefined {
    return this.#ids.get(id)
  }

  add(id: string, body: Uint8Array, at: number): HistoryItem {
    const item = { seq: ++this.#last, id, body, at }
    this.#items.push(item)
    this.#ids.set(id, item)
    this.trim(at)
    return item
  }

  removeWhere(matches: (body: Uint8Array) => boolean) {
    return this.#items.slice(this.#gone).flatMap((item) => {
      const { body, id } = item
      if (body === undefined || !matches(body)) return []
      item.body = undefined
      return [{ id, body }]
    })
  }

  trim(now: number): void {
    const oldest = now - Duration.toMillis(this.#retention.maxAge)
    const surplus = this.#items.length - this.#retention.maxPerRoom
    for (; this.#gone < this.#items.length; this.#gone++) {
      const item = this.#items[this.#gone]
      if (item === undefined || (this.#gone >= surplus && item.at > oldest)) break
      if (item.body !== undefined) this.#trimmed = item.seq
      item.body = undefined
      this.#ids.delete(item.id)
    }
    if (this.#gone > 0 && this.#gone * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#gone)
      this.#gone = 0
    }
  }

  read(request: PageRequest): HistoryPage {
    const { after } = request
    if (after === undefined) {
      const end = request.before === undefined ? this.#items.length : this.#indexAfter(request.before - 1)
      const { items, more } = this.#collect(end - 1, -1, request)
      return { items: items.reverse(), more, complete: true }
    }
    const known = after === 0 || (after >= this.#first && after <= this.#last)
    const { items, more } = this.#collect(this.#indexAfter(after), 1, request)
    return { items, more, complete: known && after >= this.#trimmed }
  }

  count(after: number, limit: number): number {
    let count = 0
    for (let index = this.#indexAfter(after); index < this.#items.length && count < limit; index++)
      if (this.#items[index]?.body !== undefined) count++
    return count
  }

  /** The index of the first item with a higher `seq`. */
  #indexAfter(seq: number): number {
    let low = this.#gone
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#items[middle]?.seq ?? 0) > seq) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Items from `start` in the direction of `step`, as far as they fit. */
  #collect(start: number, step: 1 | -1, { limit, maxBytes = Number.POSITIVE_INFINITY }: PageRequest) {
    const items: Array<HistoryItem> = []
    let bytes = 0
    for (let index = start; index >= this.#gone && index < this.#items.length; index += step) {
      const { seq, id, body } = this.#items[index] ?? {}
      if (seq === undefined || id === undefined || body === undefined) continue
      bytes += body.byteLength
      if (items.length >= limit || (items.length > 0 && bytes > maxBytes)) return { items, more: true }
      items.push({ seq, id, body })
    }
    return { items, more: false }
  }
}
