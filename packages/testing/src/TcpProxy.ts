/** A TCP proxy on a free port of 127.0.0.1 whose line can fail: broken once, cut until it heals, or silent. */
import { Effect } from "effect"
import { connect, createServer, type Socket } from "node:net"
import { listen } from "./LocalPort.ts"

export interface TcpProxy {
  readonly port: number
  /** Breaks every connection; new ones are let through. */
  readonly resetConnections: Effect.Effect<void>
  /** Breaks every connection, and refuses new ones until it heals. */
  readonly goDown: Effect.Effect<void>
  /** Connections stay open, and nothing passes any more. */
  readonly blackhole: Effect.Effect<void>
  /** Forwards again. Swallowed bytes are lost, so every connection that was silent is closed. */
  readonly restore: Effect.Effect<void>
}

export interface TcpProxyOptions {
  /** Each connection breaks after this many bytes from the client. */
  readonly cutAfterBytes?: number
  /**
   * Called with the bytes of each client as Latin-1: the newest, and some before them. True: they arrive, and nothing passes any
   * more in both directions until `restore`. The client is then between two of its steps.
   */
  readonly stopsAfter?: (sent: string) => boolean
}

/** A message may arrive in pieces. */
const remembered = 8_192

/** Gone with the scope. */
export const make = Effect.fnUntraced(function* (
  target: number,
  { cutAfterBytes = Infinity, stopsAfter }: TcpProxyOptions = {},
) {
  const sockets = new Set<Socket>()
  let line: "open" | "cut" | "silent" = "open"
  const sever = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    if (line === "cut") return near.destroy()
    const far = connect(target, "127.0.0.1")
    let allowed = cutAfterBytes
    let sent = ""
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on("data", (chunk) => {
        if (line === "silent" || allowed === 0) return
        if (from === near && stopsAfter !== undefined) {
          sent = sent.slice(-remembered) + chunk.toString("latin1")
          if (stopsAfter(sent)) line = "silent"
        }
        if (from === far || chunk.length < allowed) {
          to.write(chunk)
          if (from === near) allowed -= chunk.length
          return
        }
        // Everything before the cut arrives.
        to.write(chunk.subarray(0, allowed), () => near.destroy())
        allowed = 0
      })
      from.on("error", () => to.destroy())
      from.on("close", () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const become = (next: typeof line) => {
    line = next
    if (next !== "silent") sever()
  }
  const port = yield* listen(Object.assign(server, { closeAllConnections: () => become("cut") }))
  return {
    port,
    resetConnections: Effect.sync(sever),
    goDown: Effect.sync(() => become("cut")),
    blackhole: Effect.sync(() => become("silent")),
    restore: Effect.sync(() => become("open")),
  } satisfies TcpProxy
})
