/** Entries of a room: as clients see them, and as its history stores them (without `seq`, which the history assigns). */
import type { HistoryItem } from "@armoricore/history/History"
import { RawJson } from "../protocol/RawJson.ts"

/** An entry as clients see it. */
export interface LogEntry {
  readonly event: string
  readonly seq: number
  /** The event's payload, `seq` included. */
  readonly payload: Readonly<Record<string, unknown>>
}

export interface StoredEntry {
  readonly event: string
  readonly payload: object
  readonly droppable: boolean
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const encode = ({ event, payload, droppable }: StoredEntry): Uint8Array =>
  encoder.encode(JSON.stringify({ event, ...(droppable ? { droppable } : {}), payload }))

// Every item of a room's history was written by `encode`.
const parse = (text: string): StoredEntry => JSON.parse(text) as StoredEntry

/** The payload of a stored entry, without `seq`. */
export const payloadOf = (body: Uint8Array): Readonly<Record<string, unknown>> => ({
  ...parse(decoder.decode(body)).payload,
})

export const decode = ({ seq, body }: HistoryItem): LogEntry => {
  const { event, payload } = parse(decoder.decode(body))
  return { event, seq, payload: { ...payload, seq } }
}

/** The text that `encode` writes before the payload's own fields. */
const storedEntryPrefix = /^\{"event":"([a-z_]+)"(,"droppable":true)?,"payload":\{/

/** Like `decode`, for a delivery: inserts `seq` into the payload's JSON text without parsing the payload. */
export const decodeRaw = (item: HistoryItem) => {
  const text = decoder.decode(item.body)
  const prefix = storedEntryPrefix.exec(text)
  if (prefix === null) {
    const { event, payload, droppable } = parse(text)
    return { event, seq: item.seq, payload: { ...payload, seq: item.seq }, droppable: droppable === true }
  }
  const [head, event = "", droppable] = prefix
  const fields = text.slice(head.length, -2)
  const payload = new RawJson(`{${fields}${fields === "" ? "" : ","}"seq":${item.seq}}`)
  return { event, seq: item.seq, payload, droppable: droppable !== undefined }
}
