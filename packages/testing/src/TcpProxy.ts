/** A TCP proxy on a free port of 127.0.0.1 whose line can be cut: connections break, and new ones are refused until it heals. */
import { Effect } from "effect"
import { connect, createServer, type Socket } from "node:net"

export interface TcpProxy {
  readonly port: number
  readonly cut: Effect.Effect<void>
  readonly heal: Effect.Effect<void>
}

/** Gone with the scope. */
export const make = Effect.fnUntraced(function* (target: number) {
  const sockets = new Set<Socket>()
  let isCut = false
  const cut = () => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    if (isCut) return near.destroy()
    const far = connect(target, "127.0.0.1")
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on("data", (chunk) => to.write(chunk))
      from.on("error", () => to.destroy())
      from.on("close", () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        cut()
        server.close()
      }),
  )
  return { port, cut: Effect.sync(cut), heal: Effect.sync(() => void (isCut = false)) } satisfies TcpProxy
})
