/**
 * Lets ffmpeg read an upload by ranges without a copy of it on this machine: a server on 127.0.0.1 that answers for this
 * one object, under a name that cannot be guessed, as long as the scope lives.
 *
 * ffmpeg takes a connection that breaks for the end of the file. So a storage that stumbles is read on from where it
 * stopped, and what cannot be read is kept as `fault`, which counts more than whatever ffmpeg made of it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type ConfigurationError, type PermanentError, TransientError } from "@armoricore/domain/Errors"
import { type ObjectInfo, type ObjectRef, ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { Effect, FiberSet, Schedule, Stream } from "effect"
import { failure } from "../pipeline/Failures.ts"

export type ReadError = TransientError | PermanentError | ConfigurationError

export interface RangeProxy {
  readonly url: string
  /** Why something could not be read, once that has happened. */
  readonly fault: () => ReadError | undefined
  /** Bytes handed out so far, also those that ffmpeg left in the buffers of a connection, some MB each. */
  readonly bytesServed: () => number
  /** The most of them that followed upon each other. */
  readonly longestRead: () => number
}

/** The object as it was when the work was planned. */
export type SourceObject = ObjectRef & Pick<ObjectInfo, "etag" | "size">

export const open = Effect.fn("SourceReader.open")(function* (source: SourceObject) {
  const storage = yield* ObjectStorage
  const run = yield* FiberSet.makeRuntime<never>()
  const path = `/${crypto.randomUUID()}`
  let fault: ReadError | undefined
  let bytes = 0
  let longest = 0

  /** The bytes from `start` to `end`, read on where the storage breaks off. */
  const sendRange = Effect.fnUntraced(function* (response: ServerResponse, start: number, end: number) {
    let at = start
    const rest = Effect.suspend(() => storage.get(source, { start: at, end })).pipe(
      Effect.catchTag("NotFound", () => Effect.fail(failure("source_missing"))),
      Effect.flatMap(({ body, info }): Effect.Effect<void, ReadError> =>
        info.etag !== source.etag
          ? Effect.fail(failure("source_changed"))
          : Stream.runForEach(body, (chunk) =>
              // Some storages have all of it in one.
              Effect.forEach(
                split(chunk),
                (piece) => {
                  at += piece.byteLength
                  bytes += piece.byteLength
                  longest = Math.max(longest, at - start)
                  return write(response, piece)
                },
                { discard: true },
              ),
            ),
      ),
      Effect.andThen(
        Effect.suspend((): Effect.Effect<void, ReadError> =>
          at > end
            ? Effect.void
            : Effect.fail(
                new TransientError({ dependency: "storage", code: "truncated_read", message: "the upload broke off" }),
              ),
        ),
      ),
    )
    yield* Effect.retry(rest, {
      while: (error) => error._tag === "TransientError",
      schedule: Schedule.exponential("200 millis"),
      times: 4,
    })
    yield* Effect.sync(() => response.end())
  })

  const respond = (request: IncomingMessage, response: ServerResponse) =>
    Effect.suspend(() => {
      if (request.url !== path || (request.method !== "GET" && request.method !== "HEAD")) {
        return Effect.sync(() => response.writeHead(404).end())
      }
      const [, from, to] = /^bytes=([0-9]+)-([0-9]*)$/.exec(request.headers.range ?? "") ?? []
      const start = Number(from ?? 0)
      const end = Math.min(source.size - 1, to === undefined || to === "" ? Infinity : Number(to))
      const type = { "accept-ranges": "bytes", "content-type": "application/octet-stream" }
      if (start > end) {
        return Effect.sync(() => response.writeHead(416, { "content-range": `bytes */${source.size}` }).end())
      }
      response.writeHead(from === undefined ? 200 : 206, {
        ...type,
        "content-length": end - start + 1,
        ...(from === undefined ? {} : { "content-range": `bytes ${start}-${end}/${source.size}` }),
      })
      if (request.method === "HEAD") return Effect.sync(() => response.end())
      return Effect.catch(sendRange(response, start, end), (error) =>
        Effect.sync(() => {
          fault = error
          response.destroy()
        }),
      )
    })

  const server = createServer((request, response) => {
    const fiber = run(respond(request, response))
    // ffmpeg leaves when it has what it came for.
    response.on("close", () => fiber.interruptUnsafe())
  })
  yield* Effect.acquireRelease(
    Effect.callback<void, TransientError>((resume) => {
      server.once("error", (cause) =>
        resume(
          Effect.fail(
            new TransientError({
              dependency: "network",
              code: "unavailable",
              message: "no port of 127.0.0.1 can be opened to read the upload",
              cause,
            }),
          ),
        ),
      )
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      }),
  )
  // A server that listens on a port has an address of this form.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${path}`,
    fault: () => fault,
    bytesServed: () => bytes,
    longestRead: () => longest,
  } satisfies RangeProxy
})

const maxWriteBytes = 256 * 1024
const split = (chunk: Uint8Array): ReadonlyArray<Uint8Array> =>
  chunk.byteLength <= maxWriteBytes
    ? [chunk]
    : Array.from({ length: Math.ceil(chunk.byteLength / maxWriteBytes) }, (_, index) =>
        chunk.subarray(index * maxWriteBytes, (index + 1) * maxWriteBytes),
      )

/** Waits where the other side is slower, so that no more than a few chunks are in memory. */
const write = (response: ServerResponse, chunk: Uint8Array): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (response.write(chunk)) return resume(Effect.void)
    const ready = () => resume(Effect.void)
    response.once("drain", ready)
    return Effect.sync(() => response.off("drain", ready))
  })
