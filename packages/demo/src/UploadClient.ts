/** What a client does with a file: asks for a presigned URL and sends the bytes there. */
import { Effect, FileSystem, Schema } from "effect"
import { openAsBlob } from "node:fs"
import { CommandFailed } from "@armoricore/armoricore/app/CommandErrors"

export const UploadGrant = Schema.Struct({
  media_id: Schema.String,
  upload_url: Schema.String,
  method: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String),
  file_path: Schema.String,
})
export type UploadGrant = typeof UploadGrant.Type

const contentTypes: Readonly<Record<string, string>> = {
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
  mkv: "video/x-matroska",
  mp3: "audio/mpeg",
  m4a: "audio/mp4",
  wav: "audio/wav",
  flac: "audio/flac",
  ogg: "audio/ogg",
}

/** By the ending; what it really is, the pipeline finds out for itself. */
export const contentTypeOf = (file: string): string =>
  contentTypes[file.slice(file.lastIndexOf(".") + 1).toLowerCase()] ?? "application/octet-stream"

export const requestUpload = Effect.fn("Upload.ask")(function* (url: string, token: string, file: string) {
  const fs = yield* FileSystem.FileSystem
  const size = yield* fs.stat(file).pipe(
    Effect.map((info) => Number(info.size)),
    Effect.mapError(
      () => new CommandFailed({ message: `${file} cannot be read; name a file that exists with --input` }),
    ),
  )
  const response = yield* request(`${url}/v1/uploads`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ filename: file, content_type: contentTypeOf(file), size }),
  })
  const json = yield* Effect.promise(() => response.json())
  return yield* Effect.orDie(Schema.decodeUnknownEffect(UploadGrant)(json))
})

export const uploadFile = Effect.fn("Upload.put")(function* (grant: UploadGrant, file: string) {
  const body = yield* Effect.promise(() => openAsBlob(file))
  yield* request(grant.upload_url, { method: grant.method, headers: grant.headers, body })
})

const request = Effect.fnUntraced(function* (url: string, init: RequestInit) {
  const where = new URL(url)
  const response = yield* Effect.tryPromise({
    try: (signal) => fetch(url, { ...init, signal }),
    catch: (cause) => new CommandFailed({ message: `${where.host} could not be reached: ${String(cause)}` }),
  })
  if (response.ok) return response
  const text = yield* Effect.promise(() => response.text())
  return yield* new CommandFailed({
    message: `${where.host}${where.pathname} answered ${response.status}: ${text.slice(0, 300)}`,
  })
})
