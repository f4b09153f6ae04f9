/**
 * The entry point of the engine's thread: acquires the folder's lock, then serves the process that started it and the
 * socket. It ends on request and releases the lock.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as DataFolder from "../DataFolder.ts"
import type { Handshake, Reply, Request, ThreadOptions } from "../Protocol.ts"
import { engineFailureFrom, isBusy, open } from "./Database.ts"
import { Engine } from "./Engine.ts"
import { Subscriptions } from "./Subscriptions.ts"
import { serve } from "./SocketServer.ts"

if (parentPort === null) throw new Error("This file is run by the engine as a thread")
const port = parentPort
// Passed by this package's own Worker call.
const { folder, lockTimeout } = workerData as ThreadOptions
const sendHandshake = (greeting: Handshake) => port.postMessage(greeting)

/** A client that hangs delays the end of its owner by this time; its call fails then. */
const maxLeavingMillis = 1_000

const start = async () => {
  DataFolder.create(folder)
  const engine = new Engine(open(DataFolder.databasePath(folder), lockTimeout))
  const socket = DataFolder.newSocketPath(folder)
  const server = await serve(engine, socket)
  DataFolder.writeOwnerFile(folder, socket)
  const owner = { subscriptions: new Subscriptions(), send: (batch: ReadonlyArray<Reply>) => port.postMessage(batch) }
  engine.join(owner)
  port.on("message", (batch: ReadonlyArray<Request> | "close") => {
    if (batch !== "close") return engine.receive(owner, batch)
    server.stopAccepting()
    void server.awaitLeaving(maxLeavingMillis).then(() => {
      // Releasing the lock hands over the folder: a new owner may be waiting, and files created from now on are the new
      // owner's.
      DataFolder.removeOwnerFile(folder)
      DataFolder.removeSocket(folder, socket)
      engine.close()
      return server.close().then(() => port.close())
    })
  })
  sendHandshake({ ready: true })
}

start().catch((cause: unknown) => {
  sendHandshake({ refused: engineFailureFrom(cause), busy: isBusy(cause) })
  port.close()
})
