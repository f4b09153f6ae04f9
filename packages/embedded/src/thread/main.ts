/**
 * The engine's thread: takes the folder's lock, then serves the process that started it and the socket. It ends when it
 * is told to; the lock goes with it.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as DataFolder from "../DataFolder.ts"
import type { Greeting, Reply, Request, ThreadOptions } from "../Protocol.ts"
import { fault, isBusy, open } from "./Database.ts"
import { Engine } from "./Engine.ts"
import { Interests } from "./Interests.ts"
import { serve } from "./SocketServer.ts"

if (parentPort === null) throw new Error("This file is run by the engine as a thread")
const port = parentPort
// Given by this package's own Worker call.
const { folder, patience } = workerData as ThreadOptions
const greet = (greeting: Greeting) => port.postMessage(greeting)

const start = async () => {
  DataFolder.create(folder)
  const engine = new Engine(open(DataFolder.databasePath(folder), patience))
  const socket = DataFolder.newSocketPath(folder)
  const server = await serve(engine, socket)
  DataFolder.writeNote(folder, socket)
  const owner = { interests: new Interests(), send: (batch: ReadonlyArray<Reply>) => port.postMessage(batch) }
  engine.join(owner)
  port.on("message", (batch: ReadonlyArray<Request> | "close") => {
    if (batch !== "close") return engine.receive(owner, batch)
    // With the lock goes the folder: the next owner may be waiting for it, and what lies there then is the next owner's.
    server.shut()
    DataFolder.removeNote(folder)
    DataFolder.removeSocket(folder, socket)
    engine.close()
    void server.close().then(() => port.close())
  })
  greet({ ready: true })
}

start().catch((cause: unknown) => {
  greet({ refused: fault(cause), busy: isBusy(cause) })
  port.close()
})
