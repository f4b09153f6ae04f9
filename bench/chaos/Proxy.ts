/** A TCP proxy between workers and broker that can be cut (connections broken) or black-holed (open, but silent). */
import { Effect } from "effect"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"

export interface Proxy {
  readonly port: number
  /** Breaks every connection; new ones are let through. */
  readonly cut: Effect.Effect<void>
  /** Nothing passes any more, and nobody is told. */
  readonly blackhole: Effect.Effect<void>
  /** What was swallowed is lost, so every connection that was silent is broken. */
  readonly heal: Effect.Effect<void>
}

export const make = (target: number) =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    let silent = false
    const server = createServer((near) => {
      const far = connect(target, "127.0.0.1")
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on("data", (chunk) => {
          if (!silent) to.write(chunk)
        })
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
          // It listens on a port, so its address is one.
          resume(Effect.succeed((server.address() as AddressInfo).port))
        })
      }),
      () => Effect.sync(() => (cut(), void server.close())),
    )
    const cut = () => {
      for (const socket of sockets) socket.destroy()
    }
    return {
      port,
      cut: Effect.sync(cut),
      blackhole: Effect.sync(() => void (silent = true)),
      heal: Effect.sync(() => {
        silent = false
        cut()
      }),
    } satisfies Proxy
  })
