/** An API server with resumable uploads in small parts, and requests of tus to it. */
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { assert } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import { HttpServer } from "effect/http"
import { apiServer } from "./ApiServer.ts"

export const resumable = {
  expiresIn: Duration.days(1),
  partSize: 512 * 1024,
  lock: { lease: Duration.seconds(5), wait: Duration.seconds(8), poll: Duration.millis(20) },
}
export const server = apiServer({}, MemoryBus.layer, MemoryHistory.layer(), resumable)

export const portOf = ({ address }: HttpServer.HttpServer["Service"]): number =>
  "port" in address ? Number(address.port) : 0
export const port = Effect.map(HttpServer.HttpServer, portOf)

export const metadata = { filename: "My film.mp4", filetype: "video/mp4" }
export const encodedMetadata = `filename ${btoa("My film.mp4")},filetype ${btoa("video/mp4")}`

export const readFile = Effect.fnUntraced(function* (filePath: string | undefined | null) {
  const storage = yield* ObjectStorage
  const { body, info } = yield* storage.get({ bucket: "media", key: (filePath ?? "").replace("s3://media/", "") })
  return { bytes: Buffer.concat([...(yield* Stream.runCollect(body))]), info }
})

/** The stored objects of unfinished uploads. */
export const leftovers = Effect.gen(function* () {
  const storage = yield* ObjectStorage
  const objects = yield* Stream.runCollect(storage.list("media", ""))
  return objects.map(({ key }) => key).filter((key) => !key.startsWith("uploads/"))
})

export const request = Effect.fnUntraced(function* (
  method: string,
  path: string,
  options: {
    readonly token?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: Uint8Array<ArrayBuffer>
    readonly port?: number
  },
) {
  const target = options.port ?? (yield* port)
  return yield* Effect.promise((signal) =>
    fetch(`http://127.0.0.1:${target}${path}`, {
      method,
      signal,
      headers: {
        "tus-resumable": "1.0.0",
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: options.body }),
    }),
  )
})

export const create = Effect.fnUntraced(function* (
  token: string,
  size: number,
  headers: Readonly<Record<string, string>> = {},
) {
  const response = yield* request("POST", "/v1/uploads/tus", {
    token,
    headers: { "upload-length": String(size), "upload-metadata": encodedMetadata, ...headers },
  })
  assert.strictEqual(response.status, 201)
  const id = response.headers.get("armoricore-media-id") ?? ""
  return { id, path: `/v1/uploads/tus/${id}`, filePath: response.headers.get("armoricore-file-path"), response }
})

export const patch = (
  path: string,
  token: string,
  offset: number,
  body: Buffer,
  headers: Readonly<Record<string, string>> = {},
) =>
  request("PATCH", path, {
    token,
    body: new Uint8Array(body),
    headers: { "content-type": "application/offset+octet-stream", "upload-offset": String(offset), ...headers },
  })

export const offsetOf = Effect.fnUntraced(function* (
  path: string,
  token: string,
  options: { readonly port?: number } = {},
) {
  const response = yield* request("HEAD", path, { token, ...options })
  assert.strictEqual(response.status, 200)
  return Number(response.headers.get("upload-offset"))
})
