/** Serves the engine to other processes of the same user, on a socket that only this user may open. */
import { chmodSync } from "node:fs"
import { type Socket, createServer } from "node:net"
import { type Reply, type Request, decoder, encode, isLeft, leaving } from "../Protocol.ts"
import type { Engine, Peer } from "./Engine.ts"
import { Subscriptions } from "./Subscriptions.ts"

/** A peer that does not read its responses is disconnected before they fill this process's memory. */
const maxBufferedBytes = 64 * 1024 * 1024

export interface SocketServer {
  /** Stops accepting connections and removes the socket file. Existing connections stay. */
  readonly stopAccepting: () => void
  /** Asks every client to leave. Returns when each has sent its last call, at the latest after `maxMillis`. */
  readonly awaitLeaving: (maxMillis: number) => Promise<void>
  /** After `shut`: returns when the last connection is closed. */
  readonly close: () => Promise<void>
}

export const serve = (engine: Engine, path: string): Promise<SocketServer> => {
  const sockets = new Set<Socket>()
  /** Clients that may still send a call. */
  const callers = new Map<Socket, Peer>()
  let onLeft: (() => void) | undefined
  const leave = (socket: Socket) => {
    if (callers.delete(socket) && callers.size === 0) onLeft?.()
  }
  const server = createServer((socket) => {
    const peer: Peer = {
      subscriptions: new Subscriptions(),
      send: (batch: ReadonlyArray<Reply>) => {
        if (socket.writableLength > maxBufferedBytes) socket.destroy()
        else socket.write(encode(batch))
      },
    }
    // Requests are typed by the client half of this package; only the same user can connect.
    const accept = decoder((batch) => {
      const requests = batch as ReadonlyArray<Request>
      engine.receive(
        peer,
        requests.filter((request) => !isLeft(request)),
      )
      if (requests.some(isLeft)) leave(socket)
    })
    sockets.add(socket)
    callers.set(socket, peer)
    engine.join(peer)
    socket.on("data", (chunk: Buffer) => {
      if (!accept(chunk)) socket.destroy()
    })
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      sockets.delete(socket)
      leave(socket)
      engine.leave(peer)
    })
  })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(path, () => {
      chmodSync(path, 0o600)
      const closed = new Promise<void>((done) => server.once("close", done))
      resolve({
        stopAccepting: () => void server.close(),
        awaitLeaving: (maxMillis) =>
          new Promise((done) => {
            if (callers.size === 0) return done()
            const timer = setTimeout(done, maxMillis)
            onLeft = () => {
              clearTimeout(timer)
              done()
            }
            for (const peer of callers.values()) peer.send([leaving])
          }),
        close: () => {
          for (const socket of sockets) socket.end()
          return closed
        },
      })
    })
  })
}
