/**
 * Messages between nodes as bytes. A bus takes 1 MiB at once, so what is larger goes in parts: `~<id> <part> <parts>\n`
 * and a piece of it. Parts of one message come in order, from one node; one that lost a part is given up.
 */

const maxFragmentBytes = 512 * 1024
/** Messages in parts that are not whole yet, of all nodes together. */
const maxIncomplete = 64
const fragmentMarker = 0x7e
const newline = 0x0a

/** `id` is used once. */
export const fragment = (id: string, text: string): ReadonlyArray<Uint8Array> => {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxFragmentBytes) return [bytes]
  const parts = Math.ceil(bytes.length / maxFragmentBytes)
  return Array.from({ length: parts }, (_, part) =>
    Buffer.concat([
      Buffer.from(`~${id} ${part} ${parts}\n`),
      bytes.subarray(part * maxFragmentBytes, (part + 1) * maxFragmentBytes),
    ]),
  )
}

export class Reassembler {
  readonly #incomplete = new Map<string, Array<Uint8Array>>()

  /** The whole message; `undefined`: more parts are to come, or it is damaged. */
  add(body: Uint8Array): string | undefined {
    if (body[0] !== fragmentMarker) return Buffer.from(body).toString()
    const end = body.indexOf(newline)
    const [id = "", part = "", parts = ""] = Buffer.from(body.subarray(1, end)).toString().split(" ")
    const pieces = this.#incomplete.get(id) ?? []
    this.#incomplete.delete(id)
    if (Number(part) !== pieces.length) return undefined
    pieces.push(body.subarray(end + 1))
    if (pieces.length === Number(parts)) return Buffer.concat(pieces).toString()
    this.#incomplete.set(id, pieces)
    // The longest untouched one has lost a part.
    const [oldest] = this.#incomplete.keys()
    if (this.#incomplete.size > maxIncomplete && oldest !== undefined) this.#incomplete.delete(oldest)
    return undefined
  }
}
