/** An entry of a topic as its history keeps it: what a socket hears, without the number that the history gives. */
import type { HistoryItem } from "@armoricore/history/History"
import { RawJson } from "../protocol/RawJson.ts"

export interface StoredEntry {
  readonly event: string
  readonly payload: object
  readonly droppable: boolean
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const encode = ({ event, payload, droppable }: StoredEntry): Uint8Array =>
  encoder.encode(JSON.stringify({ event, ...(droppable ? { droppable } : {}), payload }))

// The history gives back what `pack` made.
const parse = (text: string): StoredEntry => JSON.parse(text) as StoredEntry

/** `payload` with its `seq`. */
export const decode = ({ seq, body }: HistoryItem) => {
  const { event, payload } = parse(decoder.decode(body))
  return { event, seq, payload: { ...payload, seq } }
}

/** What `pack` writes before the payload's own fields. */
const storedEntryPrefix = /^\{"event":"([a-z_]+)"(,"droppable":true)?,"payload":\{/

/** As `unpack`, for those who only pass it on: the payload stays the text that it is, with `seq` put behind it. */
export const decodeRaw = (item: HistoryItem) => {
  const text = decoder.decode(item.body)
  const found = storedEntryPrefix.exec(text)
  if (found === null) {
    const { event, payload, droppable } = parse(text)
    return { event, seq: item.seq, payload: { ...payload, seq: item.seq }, droppable: droppable === true }
  }
  const [head, event = "", droppable] = found
  const fields = text.slice(head.length, -2)
  const payload = new RawJson(`{${fields}${fields === "" ? "" : ","}"seq":${item.seq}}`)
  return { event, seq: item.seq, payload, droppable: droppable !== undefined }
}
