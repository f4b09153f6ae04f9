import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const wanted = { filename: "../My holiday?.mp4", content_type: "video/mp4", size: 1000 }

describe("POST /v1/uploads", () => {
  it.live("gives a media id and a presigned PUT for exactly this file", () =>
    Effect.gen(function* () {
      const response = yield* sendRequest("POST", "/v1/uploads", {
        token: yield* signToken("u1"),
        body: JSON.stringify(wanted),
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

  it.live("refuses what cannot become media, and says why", () =>
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
          body: JSON.stringify({ ...wanted, ...change }),
        })
        assert.strictEqual(response.status, status, JSON.stringify(response.body))
        assert.propertyVal(response.body, "code", code)
      }
    }).pipe(Effect.provide(apiServer())),
  )

  const Granted = Schema.Struct({
    media_id: Schema.String,
    file_path: Schema.String,
    upload_id: Schema.String,
    part_size: Schema.Int,
    parts: Schema.Array(Schema.Struct({ number: Schema.Int, size: Schema.Int, upload_url: Schema.String })),
  })

  it.live("gives a URL for each part of a file over 5 GB, and makes the file of them for its owner alone", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const size = 5_000_000_001
      const body = JSON.stringify({ ...wanted, size })
      const response = yield* sendRequest("POST", "/v1/uploads", { token, body })
      assert.strictEqual(response.status, 201)
      const granted = yield* Schema.decodeUnknownEffect(Granted)(response.body)
      assert.strictEqual(
        granted.parts.reduce((sum, part) => sum + part.size, 0),
        size,
      )
      assert.strictEqual(new Set(granted.parts.map(({ upload_url }) => upload_url)).size, granted.parts.length)

      const { file_path, media_id, upload_id } = granted
      const ask = (end: string, parts: unknown, by: string, id = media_id) =>
        sendRequest("POST", `/v1/uploads/${id}/${end}`, {
          token: by,
          body: JSON.stringify({ upload_id, file_path, ...(parts === undefined ? {} : { parts }) }),
        })
      const some = [{ number: 1, etag: "x" }]
      assert.strictEqual((yield* ask("complete", some, yield* signToken("u2"))).status, 404)
      assert.strictEqual((yield* ask("complete", some, token, "other")).status, 404)
      assert.strictEqual((yield* ask("complete", [], token)).status, 422)
      assert.propertyVal((yield* ask("complete", some, token)).body, "code", "parts_missing")
      assert.strictEqual((yield* ask("abort", undefined, token)).status, 204)
    }).pipe(Effect.provide(apiServer())),
  )
})
