/** The messages of a room as a user sees them: in order, once, with edits, removals, reactions and own unsent messages. */
import type { ErrorReply } from "./TypedChannel.ts"

export interface Attachment {
  readonly media_id: string
  readonly [field: string]: unknown
}

export interface RoomMessage {
  /** Of a message that is not stored yet: its `client_id`. */
  readonly id: string
  /** `Infinity` for a message that is not stored yet. */
  readonly seq: number
  readonly content: string
  readonly user_id: string
  readonly room_id: string
  /** RFC 3339. */
  readonly timestamp: string
  /** `failed`: the server refused it, and `error` tells why. */
  readonly delivery: "sent" | "sending" | "failed"
  readonly error?: ErrorReply
  readonly edited_at?: string
  readonly reply_to?: string
  readonly mentions?: ReadonlyArray<string>
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly attachments?: ReadonlyArray<Attachment>
  /** Counts by emoji. */
  readonly reactions?: Readonly<Record<string, number>>
  /** The emojis of the user's own reactions. */
  readonly own_reactions?: ReadonlyArray<string>
}

export class RoomMessages {
  readonly #byId = new Map<string, RoomMessage>()
  readonly #removed = new Set<string>()
  #list: ReadonlyArray<RoomMessage> | undefined = undefined

  /** Ascending by `seq`; messages that are not stored yet come last. The same array until a message changes. */
  get list(): ReadonlyArray<RoomMessage> {
    // `Infinity - Infinity` is no number, and the order of insertion stands.
    this.#list ??= [...this.#byId.values()].sort((a, b) => (a.seq === b.seq ? 0 : a.seq - b.seq))
    return this.#list
  }

  get(id: string): RoomMessage | undefined {
    return this.#byId.get(id)
  }

  clear(): void {
    for (const [id, { delivery }] of this.#byId) if (delivery === "sent") this.#byId.delete(id)
    this.#list = undefined
  }

  /** A message of the server: new, repeated, or edited. */
  put(message: Readonly<Record<string, unknown>>): void {
    const id = String(message["id"])
    if (this.#removed.has(id)) return
    const known = this.#byId.get(id)
    // A broadcast has no reactions of its own, so those of a reply stay. The cast is sound: the server writes these fields.
    this.#set({ ...known, ...(message as unknown as RoomMessage), delivery: "sent" })
  }

  /** An own message that the server has not confirmed. */
  putLocal(message: RoomMessage): void {
    this.#set(message)
  }

  change(id: string, fields: Partial<RoomMessage>): void {
    const known = this.#byId.get(id)
    if (known !== undefined) this.#set({ ...known, ...fields })
  }

  /** The message does not come back, also if an older page has it. */
  remove(id: string): void {
    this.#removed.add(id)
    this.drop(id)
  }

  drop(id: string): void {
    if (this.#byId.delete(id)) this.#list = undefined
  }

  #set(message: RoomMessage): void {
    this.#byId.set(message.id, message)
    this.#list = undefined
  }
}
