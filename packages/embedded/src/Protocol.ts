/**
 * The messages between the engine's thread and its callers, over a MessagePort or a socket. Both directions carry
 * batches: an array of frames is one message. On the socket, a batch is a 4-byte length followed by V8's serialisation.
 */
import { deserialize, serialize } from "node:v8"

/** Id, module, operation, arguments. The module `""` holds the engine's own operations. */
export type Request = readonly [id: number, module: string, operation: string, args: unknown]

export interface EngineFailure {
  /** `full`, `unavailable`: transient. `configuration`: an operator must act. `defect`: a bug. */
  readonly kind: "full" | "unavailable" | "configuration" | "defect"
  readonly message: string
}

export type Reply =
  | readonly [id: number, ok: true, value: unknown]
  | readonly [id: number, ok: false, fault: EngineFailure]
  | readonly [id: 0, module: string, topic: string, data: unknown]

/**
 * The owner ends: `leave` is the last notification to a client. The client sends what it has, then {@link left} as its last
 * request, and calls the next owner. So no call is lost in between.
 */
export const leaving: Reply = [0, "", "leave", undefined]
export const isLeaving = (reply: Reply): boolean => reply.length === 4 && reply[1] === "" && reply[2] === "leave"
export const left: Request = [0, "", "left", undefined]
export const isLeft = (request: Request): boolean => request[1] === "" && request[2] === "left"

/** The thread's first message. */
export type Handshake = { readonly ready: true } | { readonly refused: EngineFailure; readonly busy: boolean }

export interface ThreadOptions {
  readonly folder: string
  /** How long to wait for a previous owner that is exiting, in milliseconds. */
  readonly lockTimeout: number
}

export const maxFrameBytes = 256 * 1024 * 1024

export const encode = (batch: ReadonlyArray<unknown>): Buffer => {
  const body = serialize(batch)
  const frame = Buffer.allocUnsafe(4 + body.byteLength)
  frame.writeUInt32BE(body.byteLength)
  frame.set(body, 4)
  return frame
}

/** Buffers chunks and emits whole batches; returns false if the peer does not speak this protocol. */
export const decoder = (onBatch: (batch: ReadonlyArray<unknown>) => void): ((chunk: Buffer) => boolean) => {
  let chunks: Array<Buffer> = []
  let buffered = 0
  let needed = 4
  return (chunk) => {
    chunks.push(chunk)
    buffered += chunk.byteLength
    // Joined only once a batch is complete: a large one would otherwise be copied with every chunk.
    while (buffered >= needed) {
      const joined = Buffer.concat(chunks)
      const length = joined.readUInt32BE(0)
      if (length > maxFrameBytes) return false
      chunks = [joined]
      needed = 4 + length
      if (buffered < needed) break
      const batch: unknown = deserialize(joined.subarray(4, needed))
      if (!Array.isArray(batch)) return false
      chunks = [joined.subarray(needed)]
      buffered -= needed
      needed = 4
      onBatch(batch)
    }
    return true
  }
}
