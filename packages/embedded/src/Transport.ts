/** The two transports to the engine: its own thread, or the socket of the process that owns the folder. */
import module from "node:module"
import { connect } from "node:net"
import { dirname } from "node:path"
import { Worker } from "node:worker_threads"
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import * as DataFolder from "./DataFolder.ts"
import {
  type EngineFailure,
  type Handshake,
  type Reply,
  type Request,
  type ThreadOptions,
  decoder,
  encode,
} from "./Protocol.ts"

export interface Transport {
  readonly send: (batch: ReadonlyArray<Request>) => void
  /** Returns once everything sent was answered and the peer has closed. */
  readonly close: Effect.Effect<void>
}

export interface TransportHandlers {
  readonly onBatch: (batch: ReadonlyArray<Reply>) => void
  /** Called once, when the transport is closed. */
  readonly onClose: () => void
}

export type Connect = (handlers: TransportHandlers) => Effect.Effect<Transport, TransientError | ConfigurationError>

/** The name of the variable that sets the folder, for messages. */
const setting = "ARMORICORE_DATA_DIR"

export const unavailable = (message: string): TransientError =>
  new TransientError({ dependency: "embedded", code: "unavailable", message })

/**
 * The thread uses the compile cache of the program that started it, if there is one. Without it, a thread that runs TypeScript
 * loads the compiler of Node, which holds 14 MB.
 */
const threadEnv = (): NodeJS.ProcessEnv => {
  // Its last part is the version of Node, which each user of the cache appends. An old Node has no such function.
  const cache = module.getCompileCacheDir?.()
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) }
}

/** Starts the thread, which takes the folder's lock. */
export const thread =
  (options: ThreadOptions): Connect =>
  (handlers) =>
    Effect.callback<Transport, TransientError | ConfigurationError>((resume) => {
      // In the checkout this file is TypeScript, in a published package JavaScript; the thread's file has the same
      // extension.
      const entry = new URL(`./thread/main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
      const worker = new Worker(entry, { workerData: options, execArgv: [], env: threadEnv() })
      const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()))
      let isReady = false
      worker.on("error", (cause) => resume(Effect.fail(unavailable(`The engine's thread failed: ${cause.message}`))))
      worker.once("exit", () => {
        resume(Effect.fail(unavailable("The engine's thread ended")))
        handlers.onClose()
      })
      worker.on("message", (message: Handshake | ReadonlyArray<Reply>) => {
        if (isReady) return handlers.onBatch(message as ReadonlyArray<Reply>)
        isReady = true
        const greeting = message as Handshake
        resume(
          "refused" in greeting
            ? Effect.fail(greeting.busy ? folderInUse(options.folder) : errorFrom(greeting.refused))
            : Effect.succeed({
                send: (batch) => worker.postMessage(batch, []),
                close: Effect.promise(() => {
                  worker.postMessage("close", [])
                  return ended
                }),
              }),
        )
      })
      return Effect.promise(() => worker.terminate())
    })

/** Connects to the owner's socket. */
export const socket =
  (folder: string): Connect =>
  (handlers) =>
    Effect.callback<Transport, TransientError | ConfigurationError>((resume) => {
      const note = DataFolder.readOwnerFile(folder)
      if (note === undefined)
        return resume(
          Effect.fail(unavailable(`No running process owns the data folder ${folder}; start armoricore first`)),
        )
      const connection = connect(note.socket)
      const closed = new Promise<void>((resolve) => connection.once("close", () => resolve()))
      const accept = decoder((batch) => handlers.onBatch(batch as ReadonlyArray<Reply>))
      connection.on("data", (chunk: Buffer) => {
        if (!accept(chunk)) connection.destroy()
      })
      connection.once("error", () => {
        resume(
          Effect.fail(
            unavailable(
              `The owner of the data folder ${folder} (process ${note.pid}) is not responding; if that process hangs, stop it`,
            ),
          ),
        )
      })
      connection.once("close", () => handlers.onClose())
      connection.once("connect", () =>
        resume(
          Effect.succeed({
            send: (batch) => void connection.write(encode(batch)),
            close: Effect.promise(() => {
              connection.end()
              return closed
            }),
          }),
        ),
      )
      return Effect.sync(() => connection.destroy())
    })

const folderInUse = (folder: string): ConfigurationError => {
  const note = DataFolder.readOwnerFile(folder)
  const owner = note === undefined ? "another process" : `process ${note.pid} on ${note.host} (since ${note.startedAt})`
  return new ConfigurationError({
    setting,
    message: `The data folder ${folder} belongs to ${owner}; stop that process, choose another ${setting}, or set MESSAGE_BUS_URL to run several processes`,
  })
}

/** Maps a failure reported by the thread to the error of its recovery. */
export const errorFrom = (fault: EngineFailure): TransientError | ConfigurationError => {
  switch (fault.kind) {
    case "configuration":
      return new ConfigurationError({ setting, message: fault.message })
    case "full":
      return new TransientError({ dependency: "embedded", code: "full", message: fault.message })
    case "unavailable":
    case "defect":
      return unavailable(fault.message)
  }
}
