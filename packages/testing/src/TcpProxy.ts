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
}

/** Gone with the scope. */
export const make = Effect.fnUntraced(function* (target: number, { cutAfterBytes = Infinity }: TcpProxyOptions = {}) {
  const sockets = new Set<Socket>()
  let line: "open" | "cut" | "silent" = "open"
  const sever = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    if (line === "cut") return near.destroy()
    const far = connect(target, "127.0.0.1")
    let allowed = cutAfterBytes
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on("data", (chunk) => {
        if (line === "silent" || allowed === 0) return
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
