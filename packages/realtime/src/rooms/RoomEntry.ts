/**
 * Entries of a room: as clients see them, and as its history stores them (without their position, which the history assigns).
 * The position is the payload's `seq`, in a change log its `rev`.
 */
import type { HistoryItem } from "@armoricore/history/History"
import { RawJson } from "../protocol/RawJson.ts"
import * as Reactors from "./Reactors.ts"

/** An entry as clients see it. */
export interface LogEntry {
  readonly event: string
  readonly seq: number
  /** The event's payload, with its position, and with `reactions` if the message has any. */
  readonly payload: Readonly<Record<string, unknown>>
  /** Of a message with reactions. */
  readonly reactors?: Reactors.Reactors
}

/** The field with the position of an entry. */
export type PositionField = "seq" | "rev"

export interface StoredEntry {
  readonly event: string
  readonly payload: object
  readonly droppable: boolean
  readonly reactors?: Reactors.Reactors
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const encode = ({ event, payload, droppable, reactors }: StoredEntry): Uint8Array =>
  encoder.encode(
    JSON.stringify({
      event,
      ...(droppable ? { droppable } : {}),
      // Before the payload, so that `decodeRaw` recognises entries without reactions by their beginning.
      ...(reactors === undefined || Object.keys(reactors).length === 0 ? {} : { reactors }),
      payload,
    }),
  )

// Every item of a room's history was written by `encode`.
const parse = (text: string): StoredEntry => JSON.parse(text) as StoredEntry

/** The payload of a stored entry, without `seq`. */
export const payloadOf = (body: Uint8Array): Readonly<Record<string, unknown>> => ({
  ...parse(decoder.decode(body)).payload,
})

/** As it was encoded. */
export const decodeStored = ({ body }: HistoryItem): StoredEntry => {
  const stored = parse(decoder.decode(body))
  return { ...stored, droppable: stored.droppable === true }
}

/** The payload as clients see it. */
const withPosition = ({ payload, reactors }: StoredEntry, position: PositionField, seq: number) => ({
  ...payload,
  ...(reactors === undefined ? {} : { reactions: Reactors.counts(reactors) }),
  [position]: seq,
})

export const decode = ({ seq, body }: HistoryItem, position: PositionField = "seq"): LogEntry => {
  const stored = parse(decoder.decode(body))
  const { event, reactors } = stored
  return { event, seq, payload: withPosition(stored, position, seq), ...(reactors === undefined ? {} : { reactors }) }
}

/** The text that `encode` writes before the payload's own fields. */
const storedEntryPrefix = /^\{"event":"([a-z_]+)"(,"droppable":true)?,"payload":\{/

/** Like `decode`, for a delivery: inserts the position into the payload's JSON text without parsing the payload. */
export const decodeRaw = (item: HistoryItem, position: PositionField = "seq") => {
  const text = decoder.decode(item.body)
  const prefix = storedEntryPrefix.exec(text)
  if (prefix === null) {
    const stored = parse(text)
    const payload = withPosition(stored, position, item.seq)
    return { event: stored.event, seq: item.seq, payload, droppable: stored.droppable === true }
  }
  const [head, event = "", droppable] = prefix
  const fields = text.slice(head.length, -2)
  const payload = new RawJson(`{${fields}${fields === "" ? "" : ","}"${position}":${item.seq}}`)
  return { event, seq: item.seq, payload, droppable: droppable !== undefined }
}
