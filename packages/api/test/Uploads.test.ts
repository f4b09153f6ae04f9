import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { api, send, tokenOf } from "./support.ts"

const wanted = { filename: "../My holiday?.mp4", content_type: "video/mp4", size: 1000 }

describe("POST /v1/uploads", () => {
  it.live("gives a media id and a presigned PUT for exactly this file", () =>
    Effect.gen(function* () {
      const response = yield* send("POST", "/v1/uploads", { token: yield* tokenOf("u1"), body: JSON.stringify(wanted) })
      assert.strictEqual(response.status, 201)
      const { body } = response
      assert.isObject(body)
      assert.propertyVal(body, "method", "PUT")
      assert.deepPropertyVal(body, "headers", { "content-type": "video/mp4" })
      assert.match(JSON.stringify(body), /"file_path":"s3:\/\/media\/uploads\/u1\/[0-9a-f-]{36}\/My-holiday-.mp4"/)
      assert.match(JSON.stringify(body), /"upload_url":"http:\/\/127.0.0.1:4000\/objects\/media\/uploads\/u1\//)
    }).pipe(Effect.provide(api())),
  )

  it.live("refuses what cannot become media, and says why", () =>
    Effect.gen(function* () {
      const token = yield* tokenOf("u1")
      const cases: ReadonlyArray<readonly [number, string, object, string?]> = [
        [413, "too_large", { size: 5_000_000_001 }],
        [422, "invalid", { size: 0 }],
        [422, "invalid", { size: "1" }],
        [422, "content_type", { content_type: "text/html" }],
        [422, "invalid", { content_type: "video" }],
        [422, "invalid", { filename: "" }],
        [403, "guest", {}, yield* tokenOf("g1", "guest")],
        [401, "token_missing", {}, ""],
      ]
      for (const [status, code, change, other] of cases) {
        const response = yield* send("POST", "/v1/uploads", {
          ...(other === "" ? {} : { token: other ?? token }),
          body: JSON.stringify({ ...wanted, ...change }),
        })
        assert.strictEqual(response.status, status, JSON.stringify(response.body))
        assert.propertyVal(response.body, "code", code)
      }
    }).pipe(Effect.provide(api())),
  )
})
