import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as UploadToken from "@armoricore/domain/UploadToken"
import { apiServer, sendRequest, signToken, tokenKey } from "./support/ApiServer.ts"

const uploadRequest = { filename: "../My holiday?.mp4", content_type: "video/mp4", size: 1000 }

describe("POST /v1/uploads", () => {
  it.live("returns a media id and a presigned PUT for this file", () =>
    Effect.gen(function* () {
      const response = yield* sendRequest("POST", "/v1/uploads", {
        token: yield* signToken("u1"),
        body: JSON.stringify(uploadRequest),
      })
      assert.strictEqual(response.status, 201)
      const { body } = response
      assert.isObject(body)
      assert.propertyVal(body, "method", "PUT")
      assert.deepPropertyVal(body, "headers", { "content-type": "video/mp4" })
      assert.match(JSON.stringify(body), /"file_path":"s3:\/\/media\/uploads\/u1\/[0-9a-f-]{36}\/My-holiday.mp4"/)
      assert.match(JSON.stringify(body), /"upload_url":"http:\/\/127.0.0.1:4000\/objects\/media\/uploads\/u1\//)
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("returns a token for this media, user and file, for one PUT and for parts", () =>
    Effect.gen(function* () {
      for (const size of [1000, 6_000_000_000]) {
        const { body } = yield* sendRequest("POST", "/v1/uploads", {
          token: yield* signToken("u1"),
          body: JSON.stringify({ ...uploadRequest, size }),
        })
        const { upload_token, ...file } = yield* Schema.decodeUnknownEffect(
          Schema.Struct({ media_id: Schema.String, file_path: Schema.String, upload_token: Schema.String }),
        )(body)
        assert.isTrue(UploadToken.isValid(tokenKey, { ...file, user_id: "u1" }, upload_token), String(size))
        assert.isFalse(UploadToken.isValid(tokenKey, { ...file, user_id: "u2" }, upload_token))
      }
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("rejects invalid uploads with a status and a code", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const cases: ReadonlyArray<readonly [number, string, object, string?]> = [
        [413, "too_large", { size: 50_000_000_001 }],
        [422, "invalid", { size: 0 }],
        [422, "invalid", { size: "1" }],
        [422, "content_type", { content_type: "text/html" }],
        [422, "content_type", { content_type: "Text/HTML; charset=utf-8" }],
        [422, "content_type", { content_type: "image/heic" }],
        [422, "invalid", { content_type: 7 }],
        [422, "invalid", { filename: "" }],
        [403, "guest", {}, yield* signToken("g1", "guest")],
        [401, "token_missing", {}, ""],
      ]
      for (const [status, code, change, other] of cases) {
        const response = yield* sendRequest("POST", "/v1/uploads", {
          ...(other === "" ? {} : { token: other ?? token }),
          body: JSON.stringify({ ...uploadRequest, ...change }),
        })
        assert.strictEqual(response.status, status, JSON.stringify(response.body))
        assert.propertyVal(response.body, "code", code)
      }
    }).pipe(Effect.provide(apiServer())),
  )

  /** Content types of each documented format, as browsers and phones report them; the first is the usual one. */
  const contentTypes: Readonly<Record<string, ReadonlyArray<string>>> = {
    MP4: ["video/mp4", 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"', "application/mp4"],
    MOV: ["video/quicktime"],
    M4V: ["video/x-m4v"],
    "3GP": ["video/3gpp", "video/3gpp2"],
    MKV: ["video/x-matroska", "video/x-matroska;codecs=avc1", "video/matroska"],
    WebM: ["video/webm", "video/webm;codecs=vp9,opus", "VIDEO/WEBM; codecs=vp8"],
    AVI: ["video/x-msvideo", "video/vnd.avi", "video/avi"],
    FLV: ["video/x-flv"],
    WMV: ["video/x-ms-wmv", "video/x-ms-asf", "application/vnd.ms-asf"],
    "MPEG-TS": ["video/mp2t", "video/vnd.dlna.mpeg-tts", "text/vnd.trolltech.linguist"],
    "MPEG-PS": ["video/mpeg", "video/mp2p"],
    MXF: ["application/mxf"],
    GXF: ["application/gxf", ""],
    DV: ["video/x-dv", "video/dv"],
    OGG: ["video/ogg", "audio/ogg; codecs=opus", "application/ogg"],
    GIF: ["image/gif"],
    PNG: ["image/png", "image/apng"],
    MP3: ["audio/mpeg", "audio/mp3"],
    M4A: ["audio/mp4", "audio/x-m4a"],
    AAC: ["audio/aac", "audio/x-aac"],
    WAV: ["audio/wav", "audio/x-wav", "audio/vnd.wave; codec=1"],
    FLAC: ["audio/flac", "audio/x-flac"],
    Opus: ["audio/opus", "audio/webm;codecs=opus"],
    Vorbis: ["audio/vorbis"],
    "AC-3": ["audio/ac3"],
    "E-AC-3": ["audio/eac3"],
    AIFF: ["audio/aiff", "audio/x-aiff"],
    CAF: ["audio/x-caf"],
    AU: ["audio/basic"],
    AMR: ["audio/amr", "audio/AMR-WB"],
    WavPack: ["audio/x-wavpack", "application/x-wavpack"],
    TTA: ["audio/x-tta"],
    "Monkey's Audio": ["audio/x-ape", "application/x-ape"],
    JPEG: ["image/jpeg", "image/pjpeg"],
    WebP: ["image/webp"],
    AVIF: ["image/avif"],
    BMP: ["image/bmp", "image/x-ms-bmp"],
  }

  it("every documented format has a case in this test", () => {
    const documentation = readFileSync(new URL("../../../docs/media.md", import.meta.url), "utf8")
    const rows = /\| video \|.*\n.*\n\| images \|.*/.exec(documentation)?.[0] ?? ""
    const formats = rows
      .split("\n")
      .flatMap((row) => (row.split("|")[2] ?? "").replace(/;.*| \(.*?\)/g, "").split(/,| and /))
      .map((format) => format.replace("animated", "").trim())
    assert.isAbove(formats.length, 30)
    assert.deepStrictEqual(
      [...new Set(formats)].filter((format) => contentTypes[format] === undefined),
      [],
    )
  })

  // regression: parameters, an absent type and image/avif were refused with 422
  it.live("accepts every documented format under all names of its type, and without one", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const create = (content_type: string | null | undefined, size = 1000) =>
        sendRequest("POST", "/v1/uploads", { token, body: JSON.stringify({ filename: "a", size, content_type }) })
      const Granted = Schema.Struct({ headers: Schema.Record(Schema.String, Schema.String) })
      for (const [format, types] of Object.entries(contentTypes)) {
        for (const type of types) {
          const response = yield* create(type)
          assert.strictEqual(response.status, 201, `${format}: ${type}`)
          const { headers } = yield* Schema.decodeUnknownEffect(Granted)(response.body)
          assert.notInclude(headers["content-type"], ";")
          assert.isFalse(headers["content-type"]?.startsWith("text/"), type)
        }
      }
      for (const type of [undefined, null, "", " ", "video", "application/x-unknown", "multipart/form-data", "a/b/c"]) {
        const response = yield* create(type)
        assert.strictEqual(response.status, 201, String(type))
        assert.deepPropertyVal(response.body, "headers", { "content-type": "application/octet-stream" })
      }
      assert.strictEqual((yield* create("video/webm;codecs=vp9,opus", 6_000_000_000)).status, 201)
    }).pipe(Effect.provide(apiServer())),
  )

  const MultipartUpload = Schema.Struct({
    media_id: Schema.String,
    file_path: Schema.String,
    upload_id: Schema.String,
    part_size: Schema.Int,
    parts: Schema.Array(Schema.Struct({ number: Schema.Int, size: Schema.Int, upload_url: Schema.String })),
  })

  it.live("returns a URL for each part of a file over 5 GB, and completes the upload only for its owner", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const size = 5_000_000_001
      const body = JSON.stringify({ ...uploadRequest, size })
      const response = yield* sendRequest("POST", "/v1/uploads", { token, body })
      assert.strictEqual(response.status, 201)
      const upload = yield* Schema.decodeUnknownEffect(MultipartUpload)(response.body)
      assert.strictEqual(
        upload.parts.reduce((sum, part) => sum + part.size, 0),
        size,
      )
      assert.strictEqual(new Set(upload.parts.map(({ upload_url }) => upload_url)).size, upload.parts.length)

      const { file_path, media_id, upload_id } = upload
      const post = (action: string, parts: unknown, by: string, id = media_id) =>
        sendRequest("POST", `/v1/uploads/${id}/${action}`, {
          token: by,
          body: JSON.stringify({ upload_id, file_path, ...(parts === undefined ? {} : { parts }) }),
        })
      const firstPart = [{ number: 1, etag: "x" }]
      assert.strictEqual((yield* post("complete", firstPart, yield* signToken("u2"))).status, 404)
      assert.strictEqual((yield* post("complete", firstPart, token, "other")).status, 404)
      assert.strictEqual((yield* post("complete", [], token)).status, 422)
      assert.propertyVal((yield* post("complete", firstPart, token)).body, "code", "parts_missing")
      assert.strictEqual((yield* post("abort", undefined, token)).status, 204)
    }).pipe(Effect.provide(apiServer())),
  )
})
