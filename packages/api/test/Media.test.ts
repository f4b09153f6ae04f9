import type { MediaState } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { api, send, tokenOf } from "./support.ts"

const state: MediaState = {
  media_id: "m1",
  user_id: "u1",
  status: "processing",
  stage: "transcoding",
  percent: 40,
  cause: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
  generations: {},
  attempts: [{ prefix: "media/m1/1/", generation: 1, token: 1 }],
  rungs: [],
  timings: {},
  updated_at: "2026-01-31T12:00:00Z",
}

describe("GET /v1/media/{id}", () => {
  it.live("shows the state to its owner and to an operator, to nobody else", () =>
    Effect.gen(function* () {
      yield* (yield* Collection.make(mediaStates)).put("m1", state)
      const asked = (token: string | undefined, id = "m1") =>
        send("GET", `/v1/media/${id}`, token === undefined ? {} : { token })
      const own = yield* asked(yield* tokenOf("u1"))
      assert.strictEqual(own.status, 200)
      assert.deepInclude(own.body, { media_id: "m1", status: "processing", percent: 40 })
      assert.notProperty(own.body, "attempts")
      assert.strictEqual((yield* asked(yield* tokenOf("op", "operator"))).status, 200)
      assert.strictEqual((yield* asked(yield* tokenOf("u2"))).status, 403)
      assert.strictEqual((yield* asked(undefined)).status, 401)
      assert.strictEqual((yield* asked(yield* tokenOf("u1"), "m2")).status, 404)
      assert.strictEqual((yield* asked(yield* tokenOf("u1"), "m%2F2")).status, 404)
    }).pipe(Effect.provide(api())),
  )
})
