import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

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
      assert.match(JSON.stringify(body), /"file_path":"s3:\/\/media\/uploads\/u1\/[0-9a-f-]{36}\/My-holiday-.mp4"/)
      assert.match(JSON.stringify(body), /"upload_url":"http:\/\/127.0.0.1:4000\/objects\/media\/uploads\/u1\//)
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
        [422, "invalid", { content_type: "video" }],
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
