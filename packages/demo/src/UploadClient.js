/** Uploads a file as a client would: requests a presigned URL, then sends the bytes to it. */
import { Effect, FileSystem, Schema } from "effect";
import { openAsBlob } from "node:fs";
import { DemoFailed } from "./DemoFailed.ts";
export const UploadGrant = Schema.Struct({
    media_id: Schema.String,
    upload_url: Schema.String,
    method: Schema.String,
    headers: Schema.Record(Schema.String, Schema.String),
    file_path: Schema.String,
    upload_token: Schema.String,
});
const contentTypes = {
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
};
/** From the file extension only. The pipeline probes the real format later. */
export const contentTypeOf = (file) => contentTypes[file.slice(file.lastIndexOf(".") + 1).toLowerCase()] ?? "application/octet-stream";
export const requestUpload = Effect.fn("UploadClient.requestUpload")(function* (url, token, file) {
    const fs = yield* FileSystem.FileSystem;
    const size = yield* fs.stat(file).pipe(Effect.map((info) => Number(info.size)), Effect.mapError(() => new DemoFailed({ message: `cannot read ${file}; name an existing file with --input` })));
    const response = yield* request(`${url}/v1/uploads`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify({ filename: file, content_type: contentTypeOf(file), size }),
    });
    const json = yield* Effect.promise(() => response.json());
    return yield* Effect.orDie(Schema.decodeUnknownEffect(UploadGrant)(json));
});
export const uploadFile = Effect.fn("UploadClient.uploadFile")(function* (grant, file) {
    const body = yield* Effect.promise(() => openAsBlob(file));
    yield* request(grant.upload_url, { method: grant.method, headers: grant.headers, body });
});
const request = Effect.fnUntraced(function* (url, init) {
    const { host, pathname } = new URL(url);
    const response = yield* Effect.tryPromise({
        try: (signal) => fetch(url, { ...init, signal }),
        catch: (cause) => new DemoFailed({ message: `cannot reach ${host}: ${String(cause)}` }),
    });
    if (response.ok)
        return response;
    const text = yield* Effect.promise(() => response.text());
    return yield* new DemoFailed({
        message: `${host}${pathname} answered ${response.status}: ${text.slice(0, 300)}`,
    });
});
